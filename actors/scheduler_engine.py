"""Scheduler engine: decides when to plan, on which snapshot, with which plugin.

Calls    RunCycle -> CycleReport; "status" -> dict
Casts    Changed, from whoever changed something that may let a job start; TookCharge
Effects  proposes ApplyPlan to the state manager
Errors   a plugin that fails or is late costs one cycle, never the engine

A change plans at once; changes that arrive while a plan is on its way are gathered into the next one. The documented
timer plans as well, because time itself lets jobs start.
"""

from __future__ import annotations

import bisect
from typing import Any

import msgspec
import structlog

from actors import messages as m
from actors.leadership import is_in_charge
from actors.sched_plugin import BUILT_IN
from actors.tracer import TRACER, Span, Spans
from flurm.core import commands as c
from flurm.core.records import Cluster
from flurm.otp import GenServer, NoReply, Ok, OtpError, Reply, Response, ResponseDown, Sender

STATE_MANAGER = "flurm_state_manager"
QUEUE_MANAGER = "flurm_queue_manager"
PLUGIN_SUP = "flurm_sched_plugin_sup"
PLUGIN_TIMEOUT_S = 30.0
PROPOSAL_TIMEOUT_S = 30.0
MAX_CYCLE_S = 60
REST_PER_CYCLE = 4.0
"""A cycle is followed by so many times its own length without one: planning takes a fifth of the time at most."""
REST_UNASKED = 49.0
"""The same for the timer's cycles, which nobody asked for: looking through a long queue of held jobs, again and again
because one more of them came, would take a tenth of the time."""
MAX_REST_S = 1.0
RETRY_S = 0.02
FALLBACK = "flurm_sched_fifo"
FAILURES_UNTIL_FALLBACK = 3
TRIES_AGAIN_EVERY = 100
BOUNDS_MS = (0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 5000)

log = structlog.get_logger(__name__)


class Statistics(msgspec.Struct):
    """Figures of the cycles so far, in microseconds (sdiag shows them)."""

    cycles: int = 0
    last_us: int = 0
    longest_us: int = 0
    total_us: int = 0
    depth: int = 0
    queue_length: int = 0
    started: int = 0
    failures: int = 0
    bounds_ms: tuple[float, ...] = BOUNDS_MS
    buckets: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BOUNDS_MS) + 1))


class State(msgspec.Struct):
    """Which plugin, what is under way, and the figures."""

    plugin: str
    interval_s: float
    planned: Cluster | None = None
    planned_s: int = 0
    proposing: bool = False
    again: bool = False
    waiting: bool = False
    failures_in_a_row: int = 0
    resume_s: float = 0.0
    """When the next cycle may begin at the earliest."""
    resume_unasked_s: float = 0.0
    """When the timer may begin one."""
    statistics: Statistics = msgspec.field(default_factory=Statistics)


class SchedulerEngine(GenServer):
    """Turns snapshots of the cluster into start decisions."""

    vsn = 1
    coalesced = (m.Changed,)

    def init(self, args: dict[str, Any]) -> Ok:
        config = self.system.env["config"]
        state = State(plugin=config.scheduler_plugin, interval_s=config.schedule_interval / 1000)
        self.system.terms["scheduler_statistics"] = state.statistics
        self.send_after(state.interval_s, "timer")
        self.cast(self.pid, m.Changed())
        return Ok(state)

    def handle_call(self, request: Any, sender: Sender, state: State) -> Reply:
        match request:
            case m.RunCycle():
                return Reply(self._cycle(state, force=True), state)
            case "status":
                return Reply(self.format_status(state), state)
        raise NotImplementedError(repr(request))

    def handle_cast(self, message: Any, state: State) -> NoReply:
        if isinstance(message, m.Changed | m.TookCharge):
            if isinstance(message, m.TookCharge):
                state.planned = None  # what this controller has planned before is not what the others have done since
            if state.proposing:
                state.again = True
            else:
                self._cycle_soon(state)
            return NoReply(state)
        raise NotImplementedError(repr(message))

    def handle_info(self, message: Any, state: State) -> NoReply:
        match message:
            case "cycle":
                state.waiting = False
                self._cycle(state)
            case "timer":
                self._follow_configuration(state)
                self.send_after(state.interval_s, "timer")
                if not state.proposing and self.monotonic_s() >= state.resume_unasked_s:
                    self._cycle(state)
            case Response("plan") | ResponseDown("plan"):
                state.proposing = False
                if isinstance(message, ResponseDown) or isinstance(message.value, m.Unavailable):
                    state.planned = None  # nothing of it has happened, so the timer has to try again
                if state.again:
                    state.again = False
                    self._cycle_soon(state)
        return NoReply(state)

    def _follow_configuration(self, state: State) -> None:
        config = self.system.env["config"]
        state.interval_s = config.schedule_interval / 1000
        if state.plugin != config.scheduler_plugin:
            log.info("another scheduler plugin", plugin=config.scheduler_plugin, before=state.plugin)
            state.plugin, state.failures_in_a_row, state.planned = config.scheduler_plugin, 0, None

    def _cycle_soon(self, state: State) -> None:
        """Plan at once when the cluster is quiet; when cycles take long, leave the others most of the time."""
        if state.waiting:
            return
        state.waiting = True
        rest_s = state.resume_s - self.monotonic_s()
        if self.system.whereis(PLUGIN_SUP) is None:
            rest_s = RETRY_S
        if rest_s > 0:
            self.send_after(rest_s, "cycle")
        else:
            self.info(self.pid, "cycle")

    def _cycle(self, state: State, force: bool = False) -> m.CycleReport:
        """Plan on the newest snapshot, if anything is new, and propose what was decided."""
        if not is_in_charge(self.system.terms):
            return m.CycleReport()
        cluster: Cluster = self.system.terms["cluster"]
        now_s = int(self.now_s())
        if cluster is state.planned and now_s - state.planned_s < MAX_CYCLE_S and not force:
            return m.CycleReport()
        if self.system.whereis(PLUGIN_SUP) is None:
            self._cycle_soon(state)  # it starts after this process, or is being restarted
            return m.CycleReport()
        began = self.monotonic_s()
        plugin = self._plugin(state)
        try:
            self._ensure_plugins(state)
            order = self.call(QUEUE_MANAGER, m.QueueOrder(cluster, now_s), PLUGIN_TIMEOUT_S)
            plan = self.call(plugin, m.MakePlan(cluster, order, now_s), PLUGIN_TIMEOUT_S)
        except OtpError as error:
            self._failed(state, error)
            return m.CycleReport()
        if plugin == state.plugin:
            state.failures_in_a_row = 0
        state.planned, state.planned_s = cluster, now_s
        ended = self.monotonic_s()
        duration_us = int((ended - began) * 1e6)
        state.resume_s = ended + min(REST_PER_CYCLE * (ended - began), MAX_REST_S)
        state.resume_unasked_s = ended + min(REST_UNASKED * (ended - began), MAX_REST_S)
        self._count(state.statistics, duration_us, len(order), len(plan.starts))
        figures: dict[str, str | int] = {"plugin": plugin, "queue": len(order), "started": len(plan.starts)}
        self.cast(TRACER, Spans((Span("schedule", self.now_s() - duration_us / 1e6, duration_us, figures),)))
        counters = self.system.env["counters"]
        counters.scheduler.add(duration_us, len(order), len(order))
        if state.plugin != "flurm_sched_fifo":
            counters.backfill.add(duration_us, len(order), len(order), len(order), 0, now_s)
        if plan.starts or plan.outlooks:
            state.proposing = True
            command = c.ApplyPlan(
                now_s=now_s, starts=plan.starts, outlooks=plan.outlooks, shape_version=cluster.shape_version
            )
            self.send_request(STATE_MANAGER, m.Request(command), "plan")
        return m.CycleReport(len(order), len(plan.starts), duration_us, state.proposing)

    def _plugin(self, state: State) -> str:
        """The configured plugin; after it has failed several times in a row, fifo, but for a try now and then."""
        failures = state.failures_in_a_row
        if failures < FAILURES_UNTIL_FALLBACK:
            return state.plugin
        state.failures_in_a_row += 1
        return state.plugin if failures % TRIES_AGAIN_EVERY == 0 else FALLBACK

    def _failed(self, state: State, error: OtpError) -> None:
        state.statistics.failures += 1
        state.failures_in_a_row += 1
        fallback = FALLBACK if state.failures_in_a_row >= FAILURES_UNTIL_FALLBACK else None
        log.error("scheduling cycle failed", plugin=state.plugin, reason=str(error), going_on_with=fallback)

    def _ensure_plugins(self, state: State) -> None:
        """Start the plugins that are not there: the first time, and after their supervisor was restarted."""
        known = {**BUILT_IN, **self.system.env.get("scheduler_plugins", {})}
        for name in {*BUILT_IN, state.plugin}:
            if self.system.whereis(name) is None:
                try:
                    self.system.start_child(PLUGIN_SUP, {"policy": known[name]}, name)
                except OtpError:
                    if self.system.whereis(name) is None:  # else its supervisor has just restarted it
                        raise

    def _count(self, statistics: Statistics, duration_us: int, depth: int, started: int) -> None:
        statistics.cycles += 1
        statistics.last_us = duration_us
        statistics.longest_us = max(statistics.longest_us, duration_us)
        statistics.total_us += duration_us
        statistics.buckets[bisect.bisect_left(statistics.bounds_ms, duration_us / 1000)] += 1
        statistics.depth += depth
        statistics.queue_length = depth
        statistics.started += started

    def format_status(self, state: State) -> Any:
        return {"plugin": state.plugin, "interval_s": state.interval_s, **msgspec.structs.asdict(state.statistics)}
