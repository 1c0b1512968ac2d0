"""Consensus: the member of the Raft cluster that this controller is; drives the Raft server and owns the log writer.

Calls    Recover -> Recovered; "status" -> Status; TransferLeadership | ChangeMembership
             -> TransferEnded | Configuration, or a Reject
Casts    Propose(data, token) from managers; Received(message) from the peers' threads; Appended | AppendFailed |
         ChunkStored | ChunkFailed | SnapshotStored from the log writer's thread; SnapshotTaken from the state manager;
         Campaign; Read from the job manager
Effects  Append and StoreChunk go to the log writer, Send and SendChunk to the peers, Commit, Reject and Restore to the
         state manager; who leads is published as the term "leader"
Errors   a poisoned log crashes the process: its supervisor opens storage anew

It never waits for a disk or for a peer, so heartbeats go out on time. A cluster of one is the same with no peers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec
import structlog

from actors import messages as m
from actors.leadership import IN_CHARGE, LEADER
from actors.net import bulk
from flurm.config import Config
from flurm.core import machine
from flurm.otp import GenServer, NoReply, Ok, Pid, Reply, Sender
from flurm.raft import effects as e
from flurm.raft import events as v
from flurm.raft.records import Configuration, EntryKind, Role
from flurm.raft.server import Limits, RaftServer, Timing
from flurm.storage.layout import Store
from flurm.storage.writer import LogWriter

STATE_MANAGER = "flurm_state_manager"
TICK_MS = 200
"""Time passes at least so often, also where nothing is due."""
LAGS_ENTRIES = 1_000
"""How far the state may be behind the log in a member that is to lead."""
RECOVER_PATIENCE_S = 5.0
RECOVER_PATIENCE_OF_SEVERAL_S = 0.5
"""A member of several may come up while the others are away: it serves what it has, and is not in charge."""

log = structlog.get_logger(__name__)


class State(msgspec.Struct):
    """The server, the writer that makes its entries durable, the directory they live in, and the way to the others."""

    server: RaftServer
    writer: LogWriter
    store: Store
    peers: Any = None
    """actors.net.peers.Peers; None where there never are any."""
    first: Configuration = Configuration()
    """The cluster as the configuration file has it, where the log says nothing else."""
    known_index: int = 0
    """Where the log ended when it was opened: what a state manager wants to have before it goes to work."""
    asking: Sender | None = None
    """A state manager that waits for that."""
    armed_ms: int | None = None
    """When the next tick comes."""
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
        self.system.terms[IN_CHARGE], self.system.terms[LEADER] = False, None
        with store.use:
            self.ensure_alive()
            self._stop_writer()
            store.reopen()
            recovered = store.recovered()
            writer = self._start_writer(store)
        first = _first_configuration(self.system.env["config"])
        server = _server(self.system.env, first)
        known_index = store.segments.last_index
        state = State(server, writer, store, self.system.env.get("peers"), first, known_index)
        self._meet(state, first)
        self._happen(state, recovered)
        self._publish(state)
        return Ok(state)

    def _start_writer(self, store: Store, refused_epoch: int = -1) -> LogWriter:
        target, system = self.pid, self.system
        writer = store.writer(lambda event: system.cast(target, event), refused_epoch)
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
                patience_s = RECOVER_PATIENCE_S if _is_alone(state) else RECOVER_PATIENCE_OF_SEVERAL_S
                self.send_after(patience_s, Impatient(sender))
                self._hand_out_if_known(state)
                return NoReply(state)
            case "status":
                return Reply(state.server.status(), state)
            case v.ChangeMembership() | v.TransferLeadership():
                self._happen(state, msgspec.structs.replace(request, token=m.Waiting(sender)))
                return NoReply(state)
        raise NotImplementedError(repr(request))

    def handle_cast(self, message: Any, state: State) -> NoReply:
        match message:
            case m.Propose(data, token):
                self._happen(state, v.Propose(data, token))
            case v.AppendFailed(kind=v.FailureKind.POISONED):
                self._happen(state, message)
                raise StorageLost(message.detail)
            case (
                v.Appended() | v.AppendFailed() | v.Received() | v.SnapshotTaken() | v.ChunkStored() | v.ChunkFailed()
                | v.SnapshotStored() | v.Campaign() | v.Read()
            ):  # fmt: skip
                self._happen(state, message)
            case _:
                raise NotImplementedError(repr(message))
        return NoReply(state)

    def handle_info(self, message: Any, state: State) -> NoReply:
        match message:
            case v.Tick(due_ms):
                if due_ms == state.armed_ms:
                    state.armed_ms = None
                self._happen(state)
                self._publish(state)
            case Impatient(sender) if sender is state.asking:
                log.warning("log not committed in time", commit_index=state.server.commit_index)
                self._hand_out(state, sender)
        return NoReply(state)

    def _happen(self, state: State, event: v.Event | None = None) -> None:
        """Let an event happen, after the tick that is due by now, do what comes of them, and see to the next tick."""
        now_ms = int(self.monotonic_s() * 1000)
        if now_ms != state.server.now_ms:
            self._look_how_far_the_state_is(state)
            self._look_what_the_machine_is(state)
        if state.armed_ms is None or now_ms >= state.armed_ms:
            self._carry_out(state, state.server.handle(v.Tick(now_ms)))
        if event is not None:
            self._carry_out(state, state.server.handle(event, now_ms))
        deadline_ms, latest_ms = state.server.next_deadline_ms, now_ms + TICK_MS
        due_ms = latest_ms if deadline_ms is None else min(max(deadline_ms, now_ms + 1), latest_ms)
        if state.armed_ms is None or due_ms < state.armed_ms:
            state.armed_ms = due_ms
            self.send_after((due_ms - now_ms) / 1000, v.Tick(due_ms))

    def _look_how_far_the_state_is(self, state: State) -> None:
        """A member that has just come back leads only when it knows the jobs, if others can."""
        known_index = max(state.server.commit_index, state.known_index)
        lags = known_index - self.system.terms.get("cluster_index", 0) > LAGS_ENTRIES
        if lags != state.server.state_lags:
            self._carry_out(state, state.server.handle(v.StateLags(lags)))

    def _look_what_the_machine_is(self, state: State) -> None:
        """Other code may be running than a moment ago, and an entry may have switched to another version."""
        cluster = self.system.terms.get("cluster")
        known = v.MachineKnown(cluster.machine_version if cluster else 0, self._supported())
        if known != v.MachineKnown(state.server.machine_version, state.server.machines):
            self._carry_out(state, state.server.handle(known))

    def _supported(self) -> tuple[int, int]:
        """Tests give members of one process different ranges."""
        supported: Callable[[], tuple[int, int]] = self.system.env.get("machine_versions", machine.supported)
        return supported()

    def _carry_out(self, state: State, effects: tuple[e.Effect, ...]) -> None:
        for effect in effects:
            match effect:
                case e.Append() | e.StoreChunk():
                    state.writer.submit(effect)
                case e.Send(to, message):
                    state.peers.send(to, message)
                case e.Commit(entries, tokens):
                    self._committed(state, entries, tokens)
                case e.Reject(token=m.Waiting(sender)):
                    self.reply(sender, effect)
                case e.Reject(token, reason, detail):
                    self.cast(STATE_MANAGER, m.Refused(token, reason, detail))
                case e.ReadReady(m.Waiting(sender)) | e.TransferEnded(m.Waiting(sender)):
                    self.reply(sender, effect)
                case e.SendChunk():
                    self._send_chunk(state, effect)
                case e.Restore(index):
                    self._tell_subscriber(state, m.Restored(index, state.server.configuration))
                case e.ConfigurationChanged(configuration):
                    self._meet(state, configuration)
                case e.TakeSnapshot():
                    self._tell_subscriber(state, effect)
                case e.BecameLeader(term):
                    log.info("leader", term=term)
                    self.system.terms[LEADER] = state.server.member
                    self._tell_subscriber(state, m.LeadershipChanged(term))
                    self._publish(state)
                case e.SteppedDown(term, leader):
                    log.warning("no longer leader", term=term, leader=leader)
                    self.system.terms[LEADER] = leader
                    self._tell_subscriber(state, m.LeadershipChanged(0))
                    self._publish(state)
                case e.LeaderChanged(_, leader):
                    self.system.terms[LEADER] = leader
                    self._publish(state)
        self._hand_out_if_known(state)

    def _publish(self, state: State) -> None:
        """For metrics and the health check; what needs it exact asks."""
        self.system.terms["consensus"] = state.server.status()

    def _send_chunk(self, state: State, effect: e.SendChunk) -> None:
        """Reading waits for the disk, so somebody else does it."""
        member, store, peers = state.server.member, state.store, state.peers
        self.system.beside(lambda: bulk.send_chunk(effect, member, store, peers))

    def _committed(self, state: State, entries: Any, tokens: Any) -> None:
        """Entries go to the state manager; whoever asked for a change of members is answered here."""
        for entry, token in zip(entries, tokens, strict=True):
            if entry.kind is EntryKind.CONFIGURATION and isinstance(token, m.Waiting):
                self.reply(token.sender, Configuration.decode(entry.payload))
        self._tell_subscriber(state, m.Committed(entries, tokens))

    def _tell_subscriber(self, state: State, message: Any) -> None:
        if state.subscriber is not None:
            self.cast(state.subscriber, message)

    def _meet(self, state: State, configuration: Configuration) -> None:
        """Talk to the members of this configuration from now on, and to nobody else."""
        self.system.terms["members"] = configuration
        if state.peers is not None:
            others = {name: where for name, where in configuration.addresses.items() if name != state.server.member}
            state.peers.set_members(others)

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
            state.writer = self._start_writer(state.store, state.writer.refused_epoch)
        state.asking, state.subscriber = None, sender.pid
        content, configuration = (newest.content, newest.configuration) if newest else (None, None)
        if configuration is None and len(state.first.voters) > 1:
            configuration = state.first  # else nobody needs to know, and a controller of its own may be renamed
        leading_term = state.server.term if state.server.role is Role.LEADER else 0
        self.reply(sender, m.Recovered(content, index, entries, configuration, leading_term))

    def terminate(self, reason: Any, state: State) -> None:
        with state.store.use:
            if self.system.terms.get("log_writer") is state.writer:
                self._stop_writer()

    def format_status(self, state: State) -> Any:
        return {"role": state.server.role.value, **msgspec.structs.asdict(state.server.status())}


def _first_configuration(config: Config) -> Configuration:
    """A newcomer that founds nothing knows the others, and itself as one that has no vote: it waits for a leader."""
    members = config.members()
    learners = () if config.raft_bootstrap else (config.member_name,)
    voters = tuple(sorted(members.keys() - set(learners)))
    return Configuration(voters, learners, addresses=members)


def _server(env: dict[str, Any], first: Configuration) -> RaftServer:
    config: Config = env["config"]
    timing = Timing(
        election_ms=config.raft_election_timeout,
        heartbeat_ms=config.raft_heartbeat_interval,
        clock_drift_bound=config.raft_clock_drift_bound,
    )
    limits = Limits(kept_entries=config.raft_snapshot_interval // 2)
    return RaftServer(config.member_name, first, timing, limits, seed=env.get("seed", time.monotonic_ns()))


def _is_alone(state: State) -> bool:
    return state.server.configuration.members == {state.server.member}
