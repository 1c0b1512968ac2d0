"""State manager: owns the applied state.

Calls    Request(command), proposed as it is: from the scheduler engine and the application
Casts    Committed and Refused from consensus
Effects  publishes every applied state as the term "cluster"; answers proposers; hands effects to their owners
Errors   none of its own: rules that fail are answered and logged, the state stays whole

Who reads takes `system.terms["cluster"]`: an immutable value, no lock, no message.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import msgspec
import structlog

from actors import messages as m
from flurm.core import commands, snapshot
from flurm.core.apply import apply
from flurm.core.effects import Effect, JobEnded, Reply, RuleFailed, ScheduleSoon
from flurm.core.records import Cluster
from flurm.otp import GenServer, NoReply, Ok, Sender
from flurm.raft.records import Entry, EntryKind
from flurm.storage.errors import StorageError

CONSENSUS = "flurm_consensus"
NODE_MANAGER = "flurm_node_manager"
JOB_MANAGER = "flurm_job_manager"
SCHEDULER = "flurm_scheduler_engine"

log = structlog.get_logger(__name__)


class State(msgspec.Struct):
    """The applied state and where in the log it stands."""

    cluster: Cluster
    index: int = 0
    term: int = 0
    snapshot_index: int = 0
    snapshot_runs: bool = False
    refused: int = 0


class MissingEntries(Exception):
    """Consensus has left out or repeated an entry: a bug, after which only a replay of the log makes things right."""


class StateManager(GenServer):
    """The only process that changes what the cluster is."""

    vsn = 1

    def init(self, args: dict[str, Any]) -> Ok:
        recovered: m.Recovered = self.call(CONSENSUS, m.Recover(), timeout_s=60)
        cluster = snapshot.load(recovered.snapshot) if recovered.snapshot else Cluster()
        state = State(cluster=cluster, index=recovered.index, snapshot_index=recovered.index)
        self._replay(state, recovered.entries)
        self._publish(state)
        self.cast(SCHEDULER, m.Changed())
        return Ok(state)

    def _replay(self, state: State, entries: Sequence[Entry]) -> None:
        """Apply what the log holds. Its effects were carried out then; what was not, the state still says."""
        for entry in entries:
            state.index, state.term = entry.index, entry.term
            if entry.kind is EntryKind.COMMAND:
                state.cluster = apply(state.cluster, _decoded(entry)).cluster

    def _publish(self, state: State) -> None:
        """Let everybody see the state; neither a ghost nor a replay may put an old one in the place of a newer."""
        self.ensure_alive()
        if state.index >= self._published_index():
            self.system.terms["cluster"], self.system.terms["cluster_index"] = state.cluster, state.index

    def _published_index(self) -> int:
        return self.system.terms.get("cluster_index", 0)

    def handle_cast(self, message: Any, state: State) -> NoReply:
        match message:
            case m.Committed(entries, tokens):
                self._apply_all(state, entries, tokens)
            case m.Refused(m.Proposal(reply_to=reply_to), reason, detail):
                state.refused += 1
                log.error("command refused", reason=reason.value, detail=detail)
                if reply_to is not None:
                    self.reply(reply_to, m.Unavailable(reason, detail))
            case _:
                raise NotImplementedError(repr(message))
        return NoReply(state)

    def handle_call(self, request: Any, sender: Sender, state: State) -> Any:
        if isinstance(request, m.Request):
            self.cast(CONSENSUS, m.propose(request.command, sender))
            return NoReply(state)
        raise NotImplementedError(repr(request))

    def _apply_all(self, state: State, entries: Any, tokens: Any) -> None:
        """Apply a batch, publish the result once, then answer and act: nobody is told of a state not yet visible."""
        cluster = state.cluster
        published_index = self._published_index()
        effects: list[Effect] = []
        replies: list[tuple[Sender, Reply]] = []
        for entry, token in zip(entries, tokens, strict=True):
            if entry.index != state.index + 1:
                raise MissingEntries(f"expected entry {state.index + 1}, got {entry.index}")
            state.index, state.term = entry.index, entry.term
            if entry.kind is not EntryKind.COMMAND:
                continue
            outcome = apply(cluster, token.command if isinstance(token, m.Proposal) else _decoded(entry))
            cluster = outcome.cluster
            if entry.index > published_index:
                effects.extend(outcome.effects)
            if isinstance(token, m.Proposal) and token.reply_to is not None:
                replies.append((token.reply_to, outcome.reply))
        state.cluster = cluster
        self._publish(state)
        for sender, reply in replies:
            self.reply(sender, reply)
        self._carry_out(effects)
        self._maybe_snapshot(state)

    def _carry_out(self, effects: list[Effect]) -> None:
        """Hand each effect to its owner."""
        for_nodes, for_jobs = [], []
        schedule = False
        for effect in effects:
            match effect:
                case ScheduleSoon():
                    schedule = True
                case JobEnded():
                    for_jobs.append(effect)
                case RuleFailed(command, traceback):
                    log.error("rule failed", command=command, traceback=traceback)
                case _:
                    for_nodes.append(effect)
        if for_nodes:
            self.cast(NODE_MANAGER, m.Carry(tuple(for_nodes)))
        if schedule:
            self.cast(SCHEDULER, m.Changed())
        if for_jobs:
            self.cast(JOB_MANAGER, m.Carry(tuple(for_jobs)))

    def _maybe_snapshot(self, state: State) -> None:
        every = self.system.env["config"].raft_snapshot_interval
        if state.snapshot_runs or state.index - state.snapshot_index < every:
            return
        state.snapshot_runs = True
        job = (state.cluster, state.index, state.term)
        threading.Thread(target=self._take_snapshot, args=job, name="flurm-snapshot", daemon=True).start()

    def _take_snapshot(self, cluster: Cluster, index: int, term: int) -> None:
        """Runs in a thread of its own: the state is immutable, nobody waits."""
        error = None
        try:
            writer = self.system.terms["log_writer"]
            self.system.env["store"].take_snapshot(index, term, [snapshot.dump(cluster)], writer)
        except (StorageError, OSError) as problem:
            error = str(problem)
        self.system.info(self.pid, m.SnapshotTaken(index, error))

    def handle_info(self, message: Any, state: State) -> NoReply:
        if isinstance(message, m.SnapshotTaken):
            state.snapshot_runs = False
            state.snapshot_index = message.index
            if message.error is not None:
                log.error("snapshot failed", index=message.index, reason=message.error)
            else:
                log.info("snapshot taken", index=message.index)
        return NoReply(state)

    def format_status(self, state: State) -> Any:
        return {"index": state.index, "jobs": len(state.cluster.jobs), "snapshot_index": state.snapshot_index}


def _decoded(entry: Entry) -> commands.AnyCommand:
    return commands.decode(entry.payload)
