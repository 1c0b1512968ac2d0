"""State manager: owns the applied state.

Calls    Request(command), proposed as it is: from the scheduler engine and the application
Casts    Committed, Refused, LeadershipChanged, Restored and TakeSnapshot from consensus
Effects  publishes every applied state as the term "cluster"; answers proposers; while this controller is in charge,
         hands effects to their owners
Errors   none of its own: rules that fail are answered and logged, the state stays whole

Who reads takes `system.terms["cluster"]`: an immutable value, no lock, no message.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import structlog

from actors import messages as m
from actors.leadership import IN_CHARGE
from actors.net.routing import LEADERSHIP
from flurm.core import commands, machine, snapshot
from flurm.core.apply import apply
from flurm.core.effects import Effect, JobEnded, ProgramsChanged, Reply, RuleFailed, ScheduleSoon
from flurm.core.records import Cluster
from flurm.otp import GenServer, NoReply, Ok, Sender
from flurm.raft import machine as log_machine
from flurm.raft.effects import TakeSnapshot
from flurm.raft.events import SnapshotTaken
from flurm.raft.records import Configuration, Entry, EntryKind
from flurm.storage.errors import BlobsLost, StorageError

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
    began_index: int = 0
    """The snapshot that it began with."""
    snapshot_index: int = 0
    snapshot_runs: bool = False
    refused: int = 0
    configuration: Configuration | None = None
    """Of the cluster of controllers at `index`; None while it is the one that consensus began with."""
    leading_term: int = 0
    in_charge: bool = False


class MissingEntries(Exception):
    """Consensus has left out or repeated an entry: a bug, after which only a replay of the log makes things right."""


class StateManager(GenServer):
    """The only process that changes what the cluster is."""

    vsn = 1

    def init(self, args: dict[str, Any]) -> Ok:
        recovered: m.Recovered = self.call(CONSENSUS, m.Recover(), timeout_s=60)
        cluster = self._known(lambda: snapshot.load(recovered.snapshot) if recovered.snapshot else Cluster())
        state = State(
            cluster=cluster,
            index=recovered.index,
            began_index=recovered.index,
            snapshot_index=recovered.index,
            configuration=recovered.configuration,
            leading_term=recovered.leading_term,
        )
        self._replay(state, recovered.entries)
        self._publish(state)
        self._bring_blobs()
        self._take_charge_if_due(state)
        self._follow_configuration(state)
        return Ok(state)

    def _replay(self, state: State, entries: Sequence[Entry]) -> None:
        """Apply what the log holds. Its effects were carried out then; what was not, the state still says."""
        for entry in entries:
            state.index, state.term = entry.index, entry.term
            if entry.kind is EntryKind.COMMAND:
                command = _decoded(entry)
                self._keep_blobs(command)
                state.cluster = apply(state.cluster, command).cluster
            elif entry.kind is EntryKind.CONFIGURATION:
                state.configuration = Configuration.decode(entry.payload)
            elif entry.kind is EntryKind.MACHINE_VERSION:
                state.cluster = self._switched(state.cluster, entry)

    def _switched(self, cluster: Cluster, entry: Entry) -> Cluster:
        """The cluster from here on, with another version of the state machine. Raises Unsupported."""
        return self._known(lambda: machine.switch(cluster, log_machine.decode(entry.payload)))

    def _known(self, make: Callable[[], Cluster]) -> Cluster:
        """What `make` makes, of a machine version that this controller knows. Raises Unsupported; then it ends: what
        others apply from here on it cannot."""
        try:
            cluster = make()
            machine.check(cluster.machine_version, self.system.env.get("machine_versions", machine.supported)())
        except machine.Unsupported as error:
            log.error("this controller cannot go on", reason=str(error))
            control = self.system.env.get("control")
            if control is not None:
                control.fail(str(error))
            raise
        return cluster

    def _keep_blobs(self, command: commands.AnyCommand) -> None:
        """Scripts and environments come with the command that needs them first. They are durable in the log; the
        store syncs them before a snapshot lets the log go. Raises StorageError."""
        if isinstance(command, commands.SubmitJob) and command.blobs:
            self.system.env["store"].blobs.keep(command.blobs)

    def _follow_configuration(self, state: State, again: bool = False) -> None:
        """The cluster may have been configured otherwise than this controller is, by another one; `again`: even if not,
        the files beside what is compared may be new."""
        reading = self.system.env.get("reading")
        wanted = state.cluster.fingerprint
        if reading is None or state.in_charge or not wanted or self.system.env.get("peers") is None:
            return
        if again or reading.fingerprint != wanted:
            self.system.beside(self.system.env["control"].follow)

    def _take_charge_if_due(self, state: State) -> None:
        """The first entry of the own term that is applied shows that nothing from before is missing."""
        if state.in_charge or not state.leading_term or state.term != state.leading_term:
            return
        state.in_charge = True
        self.system.terms[IN_CHARGE] = True
        log.info("in charge", term=state.term, index=state.index)
        for owner in (NODE_MANAGER, JOB_MANAGER, SCHEDULER):
            self.cast(owner, m.TookCharge())

    def _give_up_charge(self, state: State) -> None:
        if state.in_charge:
            log.warning("no longer in charge", term=state.leading_term, index=state.index)
        state.in_charge = self.system.terms[IN_CHARGE] = False

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
            case m.LeadershipChanged(leading_term):
                self._give_up_charge(state)
                state.leading_term = leading_term
                self._take_charge_if_due(state)
            case m.Restored():
                self._restore(message, state)
            case TakeSnapshot():
                self._snapshot(state)
            case m.Refused(m.Proposal(reply_to=reply_to), reason, detail):
                state.refused += 1
                if reason not in LEADERSHIP:  # else whoever leads next is asked again
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
        """Apply a batch, publish the result once, then answer and act: nobody is told of a state not yet visible.

        What the snapshot holds that this process began with is committed once more where that came to be after
        consensus, which had begun anew, had read what there was.
        """
        cluster = state.cluster
        published_index = self._published_index()
        effects: list[Effect] = []
        replies: list[tuple[Sender, Reply]] = []
        configured = False
        for entry, token in zip(entries, tokens, strict=True):
            if entry.index <= state.began_index:
                continue
            if entry.index != state.index + 1:
                raise MissingEntries(f"expected entry {state.index + 1}, got {entry.index}")
            state.index, state.term = entry.index, entry.term
            if entry.kind is EntryKind.CONFIGURATION:
                state.configuration = Configuration.decode(entry.payload)
            if entry.kind is EntryKind.MACHINE_VERSION:
                before, cluster = cluster.machine_version, self._switched(cluster, entry)
                log.info("state machine switched", before=before, now=cluster.machine_version, index=entry.index)
            if entry.kind is not EntryKind.COMMAND:
                continue
            command = token.command if isinstance(token, m.Proposal) else _decoded(entry)
            self._keep_blobs(command)
            outcome = apply(cluster, command)
            cluster = outcome.cluster
            configured = configured or isinstance(command, commands.Configure)
            if state.in_charge and entry.index > published_index:
                effects.extend(outcome.effects)
            if isinstance(token, m.Proposal) and token.reply_to is not None:
                replies.append((token.reply_to, outcome.reply))
        state.cluster = cluster
        self._publish(state)
        for sender, reply in replies:
            self.reply(sender, reply)
        self._carry_out(effects)
        if configured:
            self._follow_configuration(state, again=True)
        self._take_charge_if_due(state)
        self._maybe_snapshot(state)

    def _restore(self, restored: m.Restored, state: State) -> None:
        """Go on from a leader's snapshot: this member was away for longer than the others' logs reach back."""
        if restored.index <= state.index:
            return
        newest = self.system.env["store"].snapshots.newest().snapshot
        if newest is None or newest.index < restored.index:
            raise MissingEntries(f"expected the snapshot of {restored.index}, got {newest and newest.index}")
        state.cluster = self._known(lambda: snapshot.load(newest.content))
        state.index, state.term, state.snapshot_index = newest.index, newest.term, newest.index
        state.configuration = newest.configuration or restored.configuration
        self._publish(state)
        log.info("state taken over from a snapshot", index=state.index, jobs=len(state.cluster.jobs))
        self._bring_blobs()
        self._follow_configuration(state)

    def _bring_blobs(self) -> None:
        """A snapshot of another member says what scripts there are, and does not hold them."""
        exchange = self.system.env.get("blob_exchange")
        if exchange is not None:
            self.system.beside(exchange.bring)

    def _carry_out(self, effects: list[Effect]) -> None:
        """Hand each effect to its owner."""
        for_nodes, for_jobs = [], []
        schedule = False
        for effect in effects:
            match effect:
                case ScheduleSoon():
                    schedule = True
                case JobEnded() | ProgramsChanged():
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
        """Every so many entries; members at different ones, for all are slower while they write a large state out."""
        config, members = self.system.env["config"], sorted(self.system.terms["members"].members)
        every = config.raft_snapshot_interval
        place = members.index(config.member_name) if config.member_name in members else 0
        offset = every * place // max(len(members), 1)
        due = (state.index + offset) // every > (state.snapshot_index + offset) // every
        if due and state.index - state.snapshot_index > every // 2:
            self._snapshot(state)

    def _snapshot(self, state: State) -> None:
        if state.snapshot_runs:
            return
        state.snapshot_runs = True
        cluster, index, term, configuration = state.cluster, state.index, state.term, state.configuration
        self.system.beside(lambda: self._take_snapshot(cluster, index, term, configuration))

    def _take_snapshot(self, cluster: Cluster, index: int, term: int, configuration: Configuration | None) -> None:
        """Runs beside this process: the state is immutable, nobody waits."""
        error, lost, began_s = None, None, self.monotonic_s()
        try:
            writer = self.system.terms["log_writer"]
            content = snapshot.parts(cluster)
            self.system.env["store"].take_snapshot(index, term, content, writer, configuration)
        except (StorageError, OSError) as problem:
            error, lost = str(problem), problem if isinstance(problem, BlobsLost) else None
        self.system.info(self.pid, m.SnapshotTaken(index, term, error, self.monotonic_s() - began_s, lost))

    def handle_info(self, message: Any, state: State) -> NoReply:
        if isinstance(message, m.SnapshotTaken):
            state.snapshot_runs = False
            state.snapshot_index = message.index
            if message.error is not None:
                log.error("snapshot failed", index=message.index, reason=message.error)
                if message.lost is not None:
                    raise message.lost  # the log is read again, and what was in it kept again
            else:
                taken, _ = self.system.terms.get("snapshots", (0, 0.0))
                self.system.terms["snapshots"] = taken + 1, message.took_s
                log.info("snapshot taken", index=message.index, took_s=round(message.took_s, 3))
                self.cast(CONSENSUS, SnapshotTaken(message.index, message.term))
        return NoReply(state)

    def format_status(self, state: State) -> Any:
        return {"index": state.index, "jobs": len(state.cluster.jobs), "snapshot_index": state.snapshot_index}


def _decoded(entry: Entry) -> commands.AnyCommand:
    return commands.decode(entry.payload)
