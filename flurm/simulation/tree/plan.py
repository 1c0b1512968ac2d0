"""Plans of faults: data made from a seed, so that a run can be repeated, written down, and made smaller.

A plan is a list of ``Fault``: at which second what happens to whom, and for how long. ``shrunk`` leaves out faults as
long as the failure stays.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import msgspec

KINDS = {
    "power": 6, "kill": 4, "isolate": 5, "cut": 4, "split": 3, "lossy": 3, "late": 2, "slow_disk": 2, "full_disk": 2,
    "failing_sync": 2, "clock_jump": 2, "transfer": 3, "campaign": 2, "node_power": 4, "node_daemon": 3,
    "node_cut": 3, "flip": 1, "process": 4, "blackout": 4, "laggard": 4,
    "rivals": 3,
}  # fmt: skip
"""What happens, and how often compared with the others."""
PROCESSES = (
    "flurm_consensus", "flurm_state_manager", "flurm_job_manager", "flurm_node_manager", "flurm_queue_manager",
    "flurm_scheduler_engine",
)  # fmt: skip


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that goes wrong; ``amount`` and ``steps`` mean what the kind makes of them."""

    at_s: float
    kind: str
    target: str = ""
    other: str = ""
    for_s: float = 0.0
    amount: float = 0.0
    steps: int = 0


class Plan(msgspec.Struct, frozen=True):
    """Everything that goes wrong in one run."""

    seed: int
    controllers: int = 3
    seconds: float = 300.0
    faults: tuple[Fault, ...] = ()
    programs: bool = False
    """Whether the site has programs that the controller runs around jobs."""

    def encode(self) -> str:
        """As JSON."""
        return msgspec.json.format(msgspec.json.encode(self)).decode()

    @staticmethod
    def decode(text: str | bytes) -> Plan:
        """The reverse. Raises msgspec.DecodeError."""
        return msgspec.json.decode(text, type=Plan)


def make(seed: int, controllers: int = 3, seconds: float = 300.0, kinds: Sequence[str] = tuple(KINDS)) -> Plan:
    """The plan of a seed: faults over most of the time, the rest for what must come right again."""
    chance = random.Random(f"plan/{seed}")
    names = [f"c{number}" for number in range(1, controllers + 1)]
    nodes = [f"n{number}" for number in range(1, 5)]
    pause_s = chance.choice((5.0, 10.0, 20.0))
    favourites = chance.sample(list(kinds), min(len(kinds), chance.randint(3, 8)))
    weights = [KINDS[kind] for kind in favourites]
    faults, at_s = [], 3.0
    while (at_s := at_s + chance.expovariate(1 / pause_s)) < seconds - 20:
        kind = chance.choices(favourites, weights)[0]
        target = chance.choice(nodes if kind.startswith("node") else names)
        other = chance.choice([name for name in names if name != target])
        if kind == "process":
            other = chance.choice(PROCESSES)
        faults.append(
            Fault(
                at_s=round(at_s, 3),
                kind=kind,
                target=target,
                other=other,
                for_s=round(min(chance.choice((0.2, 1.0, 3.0, 10.0, 30.0)) * chance.uniform(0.5, 1.5), 40), 3),
                amount=round(chance.random(), 3),
                steps=chance.randrange(60) if chance.random() < 0.7 else 0,
            )
        )
    programs = random.Random(f"programs/{seed}").random() < 0.5
    return Plan(seed, controllers, seconds, tuple(faults), programs)


def shrunk(plan: Plan, fails: Callable[[Plan], bool], tries: int = 200) -> Plan:
    """A smaller plan that still fails: halves, then quarters, then single faults are left out."""
    faults = list(plan.faults)
    size = max(len(faults) // 2, 1)
    while tries > 0 and faults:
        start, dropped = 0, False
        while start < len(faults) and tries > 0:
            fewer = faults[:start] + faults[start + size :]
            tries -= 1
            if fails(msgspec.structs.replace(plan, faults=tuple(fewer))):
                faults, dropped = fewer, True
            else:
                start += size
        if size == 1 and not dropped:
            break
        size = max(size // 2, 1)
    return msgspec.structs.replace(plan, faults=tuple(faults))
