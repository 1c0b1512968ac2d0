"""What all scheduler plugin processes share: a policy, asked for plans.

Calls    MakePlan -> Plan; Reorder -> tuple of job ids
Effects  none: a policy is pure, the engine proposes what it decides
Errors   a policy that raises crashes its process and costs one cycle
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from actors import messages as m
from flurm.otp import GenServer, Ok, Reply, Sender
from flurm.sched.policies import Policy


class State(msgspec.Struct):
    """The policy, which may remember what it has worked out of earlier snapshots."""

    policy: Policy
    plans: int = 0


class SchedulerPlugin(GenServer):
    """Base of plugin processes; a site's own one names its policy class."""

    vsn = 1
    policy_class: ClassVar[type[Policy]]

    def init(self, args: dict[str, Any]) -> Ok:
        return Ok(State(self.policy_class()))

    def handle_call(self, request: Any, sender: Sender, state: State) -> Reply:
        match request:
            case m.MakePlan(cluster, order, now_s):
                state.plans += 1
                return Reply(state.policy.plan(cluster, order, now_s), state)
            case m.Reorder(cluster, order, now_s):
                return Reply(state.policy.reorder(cluster, order, now_s), state)
        raise NotImplementedError(repr(request))
