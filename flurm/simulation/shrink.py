"""The fewest faults with which a run still fails: those that are left tell what matters."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from flurm.simulation.faults import Plan


def shrink(plan: Plan, fails: Callable[[Plan], bool]) -> Plan:
    """``plan`` without every fault, one after the other, that ``fails`` does not need; ``plan`` itself must fail."""
    smaller = True
    while smaller:
        smaller = False
        for position in reversed(range(len(plan.faults))):
            faults = plan.faults[:position] + plan.faults[position + 1 :]
            candidate = msgspec.structs.replace(plan, faults=faults)
            if fails(candidate):
                plan, smaller = candidate, True
    return plan
