"""Consensus: runs the Raft server and owns the log writer.

Calls    Recover -> Recovered
Casts    Propose(data, token); Appended | AppendFailed from the log writer's thread
Effects  Append goes to the log writer; Commit and Reject go to the state manager
Errors   a poisoned log crashes the process: its supervisor opens storage anew
"""

from __future__ import annotations

from typing import Any

import msgspec
import structlog

from actors import messages as m
from flurm.otp import GenServer, NoReply, Ok, Pid, Reply, Sender
from flurm.raft import effects as e
from flurm.raft import events as v
from flurm.raft.server import RaftServer
from flurm.storage.layout import Store
from flurm.storage.writer import LogWriter

STATE_MANAGER = "flurm_state_manager"
TICK_S = 0.2
RECOVER_PATIENCE_S = 5.0

log = structlog.get_logger(__name__)


class State(msgspec.Struct):
    """The server, the writer that makes its entries durable, and the directory they live in."""

    server: RaftServer
    writer: LogWriter
    store: Store
    known_index: int = 0
    """Where the log ended when it was opened: what a state manager wants to have before it goes to work."""
    asking: Sender | None = None
    """A state manager that waits for that."""
    subscriber: Pid | None = None
    """The state manager that has asked. Its successor must ask itself: a commit that came to it before what it has to
    read back from the log would leave a gap."""


class Impatient(msgspec.Struct, frozen=True):
    """Timer: this state manager has waited long enough for what the log holds to be committed."""

    sender: Sender


class StorageLost(Exception):
    """Storage refuses everything until it is opened anew."""


class Consensus(GenServer):
    """The member of the Raft cluster that this controller is."""

    vsn = 1

    def init(self, args: dict[str, Any]) -> Ok:
        store: Store = self.system.env["store"]
        with store.use:
            self.ensure_alive()
            self._stop_writer()
            store.reopen()
            recovered = store.recovered()
            writer = self._start_writer(store)
        member = self.system.env["config"].controller_name
        state = State(RaftServer(member, [member]), writer, store, known_index=store.segments.last_index)
        self._carry_out(state, state.server.handle(recovered))
        self.send_after(TICK_S, v.Tick(0))
        return Ok(state)

    def _start_writer(self, store: Store) -> LogWriter:
        target, system = self.pid, self.system
        writer = store.writer(lambda event: system.cast(target, event))
        writer.start()
        self.system.terms["log_writer"] = writer
        return writer

    def _stop_writer(self) -> None:
        """End the writer there is, a killed predecessor's too: two on one log must never be. Raises StorageError."""
        writer: LogWriter | None = self.system.terms.get("log_writer")
        if writer is not None:
            writer.stop()
            del self.system.terms["log_writer"]

    def handle_call(self, request: Any, sender: Sender, state: State) -> Reply | NoReply:
        match request:
            case m.Recover():
                state.asking = sender
                self.send_after(RECOVER_PATIENCE_S, Impatient(sender))
                self._hand_out_if_known(state)
                return NoReply(state)
            case "status":
                return Reply(state.server.status(), state)
        raise NotImplementedError(repr(request))

    def handle_cast(self, message: Any, state: State) -> NoReply:
        match message:
            case m.Propose(data, token):
                self._carry_out(state, state.server.handle(v.Propose(data, token)))
            case v.AppendFailed(kind=v.FailureKind.POISONED):
                self._carry_out(state, state.server.handle(message))
                raise StorageLost(message.detail)
            case v.Appended() | v.AppendFailed():
                self._carry_out(state, state.server.handle(message))
            case _:
                raise NotImplementedError(repr(message))
        return NoReply(state)

    def handle_info(self, message: Any, state: State) -> NoReply:
        match message:
            case v.Tick():
                self._carry_out(state, state.server.handle(v.Tick(int(self.monotonic_s() * 1000))))
                self.send_after(TICK_S, message)
            case Impatient(sender) if sender is state.asking:
                log.warning("log not committed in time", commit_index=state.server.commit_index)
                self._hand_out(state, sender)
        return NoReply(state)

    def _carry_out(self, state: State, effects: tuple[e.Effect, ...]) -> None:
        for effect in effects:
            match effect:
                case e.Append():
                    state.writer.submit(effect)
                case e.Commit(entries, tokens):
                    if state.subscriber is not None:
                        self.cast(state.subscriber, m.Committed(entries, tokens))
                case e.Reject(token, reason, detail):
                    self.cast(STATE_MANAGER, m.Refused(token, reason, detail))
                case e.BecameLeader(term):
                    log.info("leader", term=term)
                case e.SteppedDown(term):
                    log.warning("no longer leader", term=term)
        self.system.terms["consensus"] = state.server.status() if effects else self.system.terms.get("consensus")
        self._hand_out_if_known(state)

    def _hand_out_if_known(self, state: State) -> None:
        """Nobody should see a state without what the log holds, as it would be before this term's first commit."""
        if state.asking is not None and state.server.commit_index >= state.known_index:
            self._hand_out(state, state.asking)

    def _hand_out(self, state: State, sender: Sender) -> None:
        """Give a (new) state manager the newest snapshot and every commit since; to it go those that follow.

        The log must not be read beside its writer, which therefore finishes first and is started anew.
        """
        with state.store.use:
            self.ensure_alive()
            self._stop_writer()
            newest = state.store.snapshots.newest().snapshot
            index = newest.index if newest else 0
            entries = tuple(state.store.segments.read(index + 1, state.server.commit_index))
            state.writer = self._start_writer(state.store)
        state.asking, state.subscriber = None, sender.pid
        self.reply(sender, m.Recovered(newest.content if newest else None, index, entries))

    def terminate(self, reason: Any, state: State) -> None:
        with state.store.use:
            if self.system.terms.get("log_writer") is state.writer:
                self._stop_writer()

    def format_status(self, state: State) -> Any:
        return {"role": state.server.role.value, **msgspec.structs.asdict(state.server.status())}
