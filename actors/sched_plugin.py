"""Scheduler plugin process: a policy, asked for plans. One process each for fifo, backfill, fairshare and a site's own.

Args     policy: "module:Class", a flurm.sched.policies.Policy
Calls    MakePlan -> flurm.sched.plan.Plan
Effects  none: a policy is pure, the engine proposes what it decides
Errors   a policy that raises crashes its process and costs one cycle
"""

from __future__ import annotations

import importlib
from typing import Any

import msgspec

from actors import messages as m
from flurm.otp import GenServer, Ok, Reply, Sender
from flurm.sched.policies import Policy

BUILT_IN = {
    "flurm_sched_fifo": "flurm.sched.policies:Fifo",
    "flurm_sched_backfill": "flurm.sched.policies:Backfill",
    "flurm_sched_fairshare": "flurm.sched.policies:Fairshare",
}


class State(msgspec.Struct):
    """The policy, which may remember what it has worked out of earlier snapshots."""

    policy: Policy
    plans: int = 0


class SchedulerPlugin(GenServer):
    """Answers the engine with what its policy decides."""

    vsn = 1

    def init(self, args: dict[str, Any]) -> Ok:
        module, _, name = args["policy"].partition(":")
        return Ok(State(getattr(importlib.import_module(module), name)()))

    def handle_call(self, request: Any, sender: Sender, state: State) -> Reply:
        match request:
            case m.MakePlan(cluster, order, now_s):
                state.plans += 1
                return Reply(state.policy.plan(cluster, order, now_s), state)
        raise NotImplementedError(repr(request))

    def runs_code_of(self, state: State) -> tuple[str, ...]:
        return tuple(cls.__module__ for cls in type(state.policy).__mro__ if issubclass(cls, Policy))

    def code_change(self, old_vsn: Any, state: State, extra: Any) -> State:
        """A policy whose code changes starts afresh: what the old one remembered may be wrong for the new one."""
        return State(type(state.policy)(), state.plans)

    def format_status(self, state: State) -> Any:
        return {"policy": type(state.policy).__name__, "plans": state.plans}
