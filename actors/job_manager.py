"""Job manager: owns the rules of jobs.

Calls    Request(SubmitJob | UpdateJob | KillJob | RequeueJob | TopJobs | BatchEnded | EpilogDone)
             -> Reply | Unavailable
         Request(RegisterNode | UpdateNode | CreateNodes | DeleteNodes), passed on to the node manager, which answers
         Confirm, passed on to consensus, which answers
Casts    Carry(JobEnded | ProgramsChanged ...) and TookCharge from the state manager
         Request(EpilogDone), whose sender waits for no answer
Infos    Ended and KeeperGone from the programs that run around jobs
Effects  programs (actors.programs), begun and killed as the state says; commands go to consensus, and the state manager
         answers the caller when they are committed
Errors   a refusal is a value; an exception is a bug and crashes the process
"""

from __future__ import annotations

from typing import Any

import msgspec
import structlog

from actors import messages as m
from actors.backlog import keeps_up
from actors.leadership import IN_CHARGE, is_in_charge
from actors.net.configurations import is_stale
from actors.programs import backups
from actors.programs.runner import Ended, KeeperGone, Programs
from flurm.bridge import configure
from flurm.config.records import Config
from flurm.core import commands as c
from flurm.core import submission
from flurm.core.deadlines import due
from flurm.core.effects import JobEnded, ProgramsChanged
from flurm.core.enums import JobState
from flurm.core.records import Cluster
from flurm.core.trigger_records import TriggerKind
from flurm.otp import GenServer, NoReply, Ok, Reply, Sender
from flurm.raft.events import Read
from flurm.storage.state import blobs_of

CONSENSUS = "flurm_consensus"
NODE_MANAGER = "flurm_node_manager"
PROGRAMS = "programs"
CLOCK_S = 1.0
PASS_ON_AGAIN_S = 0.05
COLLECT_EVERY_S = 3600
PRIMARY_LEADS = TriggerKind.PRI_CTLD_RES_OP | TriggerKind.PRI_CTLD_RES_CTRL
BACKUP_LEADS = TriggerKind.PRI_CTLD_FAIL | TriggerKind.BU_CTLD_AS_CTRL

log = structlog.get_logger(__name__)


class State(msgspec.Struct):
    """Counters; jobs themselves are the state manager's."""

    ended: dict[str, int] = msgspec.field(default_factory=dict)
    submitted: int = 0
    collected_s: float = 0.0
    away: frozenset[str] | None = None
    """Backup controllers that are away, as long as a trigger waits for one."""


class JobManager(GenServer):
    """Decides what may become a command, and watches the clock for jobs."""

    vsn = 1

    def init(self, args: dict[str, Any]) -> Ok:
        self.send_after(CLOCK_S, "clock")
        self._take_programs()
        state = State(collected_s=self.monotonic_s())
        self.system.terms["job_counters"] = state
        if self.system.terms.get(IN_CHARGE):
            self.cast(self.pid, m.TookCharge())  # it was said before this process was there
        return Ok(state)

    def handle_call(self, request: Any, sender: Sender, state: State) -> Reply | NoReply:
        match request:
            case m.Request(c.SubmitJob() as command):
                refusal = submission.check(self._cluster(), command)
                if refusal is not None:
                    return Reply(refusal, state)
                state.submitted += 1
                self.system.env["counters"].jobs_submitted += 1
                self._execute(command, sender)
            case m.Request(c.RegisterNode() | c.UpdateNode() | c.CreateNodes() | c.DeleteNodes() as command):
                self._pass_on(m.NodeRequest(command, sender))
            case m.Request(command):
                self._execute(command, sender)
            case m.Confirm():
                self.cast(CONSENSUS, Read(m.Waiting(sender)))
            case _:
                raise NotImplementedError(repr(request))
        return NoReply(state)

    def handle_cast(self, message: Any, state: State) -> NoReply:
        match message:
            case m.Carry(effects):
                for effect in effects:
                    if isinstance(effect, JobEnded):
                        self._count_end(effect.state, state)
                if ProgramsChanged() in effects:
                    self._follow_programs()
            case m.Request(command):
                self._execute(command)
            case m.TookCharge():
                self._configure()
                self._programs.stop()  # what an earlier term of this controller began is begun anew
                self._follow_programs()
                self._tell_of_controller()
                self._look_at_the_clock(int(self.now_s()))
            case _:
                raise NotImplementedError(repr(message))
        return NoReply(state)

    def _count_end(self, how: str, state: State) -> None:
        state.ended[how] = state.ended.get(how, 0) + 1
        counters = self.system.env["counters"]
        if how == "COMPLETED":
            counters.jobs_completed += 1
        elif how == "CANCELLED":
            counters.jobs_cancelled += 1
        else:
            counters.jobs_failed += 1

    def handle_info(self, message: Any, state: State) -> NoReply:
        match message:
            case "clock":
                self._follow_programs()
                if is_in_charge(self.system.terms) and keeps_up(self.system, CONSENSUS):
                    self._look_at_the_clock(int(self.now_s()))
                    self._look_at_backups(state)
                    for done in self._programs.untaken(self.now_s()):
                        self._execute(done)
                self._collect_blobs(state)
                self.send_after(CLOCK_S, "clock")
            case Ended():
                over = self._programs.ended(message, self._cluster(), self.now_s())
                if over is not None and is_in_charge(self.system.terms):
                    self._execute(over)
            case KeeperGone():
                self._programs.keeper_gone(message)
            case m.NodeRequest():
                self._pass_on(message)
        return NoReply(state)

    def _take_programs(self) -> None:
        """Helpers are no state: they outlive a change of this process's code, and end with it otherwise."""
        system, own = self.system, self.pid
        former = system.terms.get(PROGRAMS)
        if former is not None:
            former.stop()
        system.terms[PROGRAMS] = Programs(system.env, lambda told: system.info(own, told))

    @property
    def _programs(self) -> Programs:
        return self.system.terms[PROGRAMS]

    def _follow_programs(self) -> None:
        """Run what the state says is to run; nothing where another controller leads."""
        if is_in_charge(self.system.terms):
            self._programs.follow(self._cluster())
        else:
            self._programs.stop()

    def _tell_of_controller(self) -> None:
        """Those who wait for it (strigger(1)) hear which controller leads now."""
        config: Config = self.system.env["config"]
        self._tell_triggers(PRIMARY_LEADS if config.member_name == config.primary_name else BACKUP_LEADS)

    def _look_at_backups(self, state: State) -> None:
        away = backups.away(self._cluster(), self.system.env["config"], self.system.env.get("peers"))
        self._tell_triggers(backups.kinds_of(state.away, away))
        state.away = away

    def _tell_triggers(self, kinds: TriggerKind) -> None:
        if kinds and self._cluster().triggers:
            self._execute(c.ControllerEvent(now_s=int(self.now_s()), kinds=int(kinds)))

    def terminate(self, reason: Any, state: State) -> None:
        self._programs.stop()

    def _configure(self) -> None:
        """This controller's configuration is the cluster's now: say so where that makes a difference; but for one that
        a change of the cluster's has passed by."""
        cluster, reading = self._cluster(), self.system.env.get("reading")
        if reading is not None and self.system.env.get("peers") is not None and is_stale(reading, cluster):
            log.error(
                "own configuration files are older than the cluster's configuration, which is kept: make them "
                "what the others have, then reconfigure",
                source=reading.config.source,
            )
            return
        config = self.system.env["config"] if reading is None else reading.config
        command = configure.command(config, now_s=int(self.now_s()), keep_changes=True)
        if command.fingerprint != cluster.fingerprint:
            self._execute(command)

    def _pass_on(self, request: m.NodeRequest) -> None:
        """To the node manager, or again in a moment: one that is just being restarted hears nothing."""
        if self.system.whereis(NODE_MANAGER) is None:
            self.send_after(PASS_ON_AGAIN_S, request)
        else:
            self.cast(NODE_MANAGER, request)

    def _look_at_the_clock(self, now_s: int) -> None:
        found = due(self._cluster(), now_s)
        if found.timed_out:
            self._execute(c.ExpireJobs(now_s=now_s, ids=found.timed_out))
        if found.past_deadline:
            self._execute(c.ExpireJobs(now_s=now_s, ids=found.past_deadline, state=JobState.DEADLINE))
        if found.purgeable:
            self._execute(c.PurgeJobs(now_s=now_s, ids=found.purgeable))
        if found.reminders:
            self._execute(c.RemindJobs(now_s=now_s, ids=found.reminders))
        if found.triggers:
            self._execute(c.RunTriggers(now_s=now_s))
        if found.reboots:
            self._execute(c.LookAtReboots(now_s=now_s))
        if found.wake:
            self._execute(c.Wake(now_s=now_s))

    def _collect_blobs(self, state: State) -> None:
        """Now and then, forget scripts and environments of jobs that are gone."""
        if self.monotonic_s() - state.collected_s < COLLECT_EVERY_S:
            return
        state.collected_s = self.monotonic_s()
        gone = self.system.env["store"].blobs.collect(blobs_of(self._cluster()))
        log.debug("blobs collected", removed=len(gone))

    def _execute(self, command: c.AnyCommand, sender: Sender | None = None) -> None:
        self.cast(CONSENSUS, m.propose(command, sender))

    def _cluster(self) -> Cluster:
        return self.system.terms["cluster"]
