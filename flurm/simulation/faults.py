"""What goes wrong, as data: a plan is drawn from a seed, and any fault can be left out to see whether it matters.

Times are virtual milliseconds since the start of the run.
"""

from __future__ import annotations

import enum
import random

import msgspec


class FaultKind(enum.Enum):
    """What can go wrong, or be asked for at a bad moment."""

    CRASH = "crash"
    PAUSE = "pause"
    PARTITION = "partition"
    CUT = "cut"
    LOSS = "loss"
    DELAY = "delay"
    DUPLICATE = "duplicate"
    DISK_FULL = "disk_full"
    DISK_SLOW = "disk_slow"
    DISK_BROKEN = "disk_broken"
    DRIFT = "drift"
    SNAPSHOT = "snapshot"
    TRANSFER = "transfer"
    CAMPAIGN = "campaign"
    MEMBERSHIP = "membership"
    OVERTAKE = "overtake"


class Fault(msgspec.Struct, frozen=True):
    """One thing that goes wrong from ``at_ms`` to ``until_ms``.

    ``members`` are those it happens to: one side of a partition, sender and receiver of a one-way cut, the voters of a
    change of membership (``others`` its learners). ``leader`` takes whoever leads at that moment instead. ``amount`` is
    a probability, a factor or milliseconds, as the kind has it.
    """

    kind: FaultKind
    at_ms: int
    until_ms: int
    members: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    amount: float = 0.0
    leader: bool = False


class Plan(msgspec.Struct, frozen=True):
    """A whole run: who belongs to the cluster, who could join it, what the clients do, what goes wrong."""

    seed: int
    voters: tuple[str, ...]
    spares: tuple[str, ...]
    faults: tuple[Fault, ...]
    duration_ms: int = 2_000
    proposal_every_ms: float = 20.0
    delay_ms: tuple[float, float] = (0.2, 2.0)
    sync_ms: tuple[float, float] = (0.3, 3.0)
    snapshot_every: int = 1_000
    kept_entries: int = 10
    clock_drift_bound: float | None = None
    """What members believe of their clocks; with leases where not None."""

    @property
    def everybody(self) -> tuple[str, ...]:
        """Members and those that may become members."""
        return self.voters + self.spares


RATES = (0.7, 0.9, 1.1, 1.5)
"""How fast clocks go that do not go right."""
DRIFT_BOUND = 0.54
"""What holds for any two of them: 0.7 is more than 1 - 0.54 of 1.5."""
_NAMES = "abcdefg"
_SIZES = (3, 3, 3, 3, 3, 5, 5, 5, 4, 2, 1)
_WEIGHTS = {
    FaultKind.CRASH: 8,
    FaultKind.PAUSE: 2,
    FaultKind.PARTITION: 6,
    FaultKind.CUT: 3,
    FaultKind.LOSS: 2,
    FaultKind.DELAY: 2,
    FaultKind.DUPLICATE: 1,
    FaultKind.DISK_FULL: 2,
    FaultKind.DISK_SLOW: 3,
    FaultKind.DISK_BROKEN: 1,
    FaultKind.DRIFT: 1,
    FaultKind.SNAPSHOT: 2,
    FaultKind.TRANSFER: 2,
    FaultKind.CAMPAIGN: 3,
    FaultKind.MEMBERSHIP: 3,
}


def plan_of(seed: int) -> Plan:
    """The plan that ``seed`` stands for."""
    draw = random.Random(f"plan/{seed}")
    size = draw.choice(_SIZES)
    voters = tuple(_NAMES[:size])
    spares = tuple(_NAMES[size : size + draw.choice((0, 0, 1, 2))])
    duration = draw.choice((1_000, 2_000, 3_000))
    count = draw.randint(3, 6 * duration // 1_000)
    faults = [_fault(draw, voters, spares, duration) for _ in range(count)]
    for _ in range(draw.choice((0, 1, 5, 20)) if size > 2 else 0):
        faults += _contest(draw, voters, duration)
    for _ in range(draw.choice((0, 0, 1, 4)) if size > 2 else 0):
        faults += _divided_change(draw, voters + spares, duration)
    leases = draw.random() < 0.3
    for _ in range(draw.choice((2, 4, 8)) if leases and size > 2 else 0):
        faults += _overtaken(draw, voters, duration)
    busy = leases or draw.random() < 0.3
    delay = (5.0, 60.0) if draw.random() < 0.15 else (0.2, draw.choice((1.0, 5.0, 20.0)))
    return Plan(
        seed=seed,
        voters=voters,
        spares=spares,
        faults=tuple(sorted(faults, key=lambda fault: fault.at_ms)),
        duration_ms=duration,
        proposal_every_ms=5.0 if busy else 25.0,
        delay_ms=delay,
        sync_ms=(0.3, draw.choice((1.0, 3.0, 15.0))),
        snapshot_every=draw.choice((5, 20, 50, 1_000)),
        kept_entries=draw.choice((0, 3, 30)),
        clock_drift_bound=DRIFT_BOUND if leases else None,
    )


def _fault(draw: random.Random, voters: tuple[str, ...], spares: tuple[str, ...], duration_ms: int) -> Fault:
    everybody = voters + spares
    kind = draw.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
    at_ms = draw.randint(0, duration_ms)
    until_ms = at_ms + int(draw.triangular(5, 1_200, 150) if draw.random() < 0.8 else draw.triangular(1, 30, 5))
    one = (draw.choice(everybody),)
    leader = draw.random() < 0.5
    match kind:
        case FaultKind.PARTITION:
            side = tuple(sorted(draw.sample(everybody, draw.randint(1, max(1, len(everybody) - 1)))))
            return Fault(kind, at_ms, until_ms, side)
        case FaultKind.CUT if len(everybody) > 1:
            return Fault(kind, at_ms, until_ms, tuple(draw.sample(everybody, 2)))
        case FaultKind.LOSS | FaultKind.DUPLICATE:
            return Fault(kind, at_ms, until_ms, amount=draw.choice((0.05, 0.2, 0.5)))
        case FaultKind.DELAY:
            return Fault(kind, at_ms, until_ms, amount=draw.choice((30.0, 150.0, 400.0)))
        case FaultKind.DISK_SLOW:
            return Fault(kind, at_ms, until_ms, one, amount=draw.choice((20.0, 100.0, 500.0)), leader=leader)
        case FaultKind.DRIFT:
            return Fault(kind, at_ms, until_ms, one, amount=draw.choice(RATES))
        case FaultKind.MEMBERSHIP:
            names = draw.sample(everybody, len(everybody))
            size = draw.randint(1, len(names))
            learners = names[size:] if draw.random() < 0.3 else []
            return Fault(kind, at_ms, until_ms, tuple(names[:size]), tuple(learners))
    return Fault(kind, at_ms, until_ms, one, leader=leader and kind is not FaultKind.CAMPAIGN)


def _contest(draw: random.Random, voters: tuple[str, ...], duration_ms: int) -> list[Fault]:
    """Two members stand in one term, cannot hear each other, and a third crashes as it votes, and may not hear whom it
    has voted for when it is back: chance is too rare."""
    one, other, voter = draw.sample(voters, 3)
    at_ms = draw.randint(0, duration_ms)
    crash_ms = at_ms + draw.randint(1, 25)
    contest = [
        Fault(FaultKind.CAMPAIGN, at_ms, at_ms, (one,)),
        Fault(FaultKind.CAMPAIGN, at_ms + draw.randint(0, 3), at_ms, (other,)),
        Fault(FaultKind.CRASH, crash_ms, crash_ms + draw.randint(1, 10), (voter,)),
        Fault(FaultKind.CUT, at_ms, at_ms + draw.randint(50, 200), (one, other)),
        Fault(FaultKind.CUT, at_ms, at_ms + draw.randint(50, 200), (other, one)),
    ]
    if draw.random() < 0.5:
        contest.append(Fault(FaultKind.CUT, crash_ms, crash_ms + draw.randint(100, 300), (one, voter)))
    if draw.random() < 0.5:
        contest.append(Fault(FaultKind.DISK_SLOW, at_ms, crash_ms + 1, (voter,), amount=40.0))
    return contest


def _overtaken(draw: random.Random, voters: tuple[str, ...], duration_ms: int) -> list[Fault]:
    """A leader is cut off at the moment that is worst for whoever trusts its lease: those who have just answered it
    restart, it was about to hand over, or somebody stands at once; and its clock is slow and the others' fast."""
    at_ms = draw.randint(200, duration_ms)
    alone_ms, until_ms = at_ms + 300, at_ms + 600
    worst = draw.choice(("restart", "restart", "restart", "transfer", "transfer", "campaign"))
    restarts_ms = draw.choice((1.0, 5.0)) if worst == "restart" else 0.0
    overtaken = [Fault(FaultKind.OVERTAKE, at_ms, until_ms, (voters[0],), amount=restarts_ms, leader=True)]
    if draw.random() < 0.8:
        overtaken += [Fault(FaultKind.DRIFT, at_ms, until_ms, (name,), amount=max(RATES)) for name in voters]
        overtaken.append(Fault(FaultKind.DRIFT, at_ms + 1, until_ms, (voters[0],), amount=min(RATES), leader=True))
    if worst == "transfer":
        handed_ms = alone_ms - draw.randint(1, 5)
        overtaken.append(Fault(FaultKind.TRANSFER, handed_ms, handed_ms, (voters[0],), leader=True))
    if worst == "campaign":
        stands_ms = alone_ms + draw.randint(0, 30)
        overtaken.append(Fault(FaultKind.CAMPAIGN, stands_ms, stands_ms, (draw.choice(voters),)))
    return overtaken


def _divided_change(draw: random.Random, everybody: tuple[str, ...], duration_ms: int) -> list[Fault]:
    """The members change while the network splits, and somebody stands on either side: two majorities, if it can be."""
    at_ms = draw.randint(0, duration_ms)
    split_ms = at_ms + draw.randint(0, 60)
    mended_ms = split_ms + draw.randint(200, 800)
    names = draw.sample(everybody, len(everybody))
    side = names[: draw.randint(1, len(names) - 1)]
    other = names[len(side) :]
    change = draw.sample(everybody, draw.randint(1, len(everybody)))
    return [
        Fault(FaultKind.MEMBERSHIP, at_ms, at_ms, tuple(change)),
        Fault(FaultKind.PARTITION, split_ms, mended_ms, tuple(sorted(side))),
        Fault(FaultKind.CAMPAIGN, split_ms + draw.randint(1, 150), split_ms, (draw.choice(side),)),
        Fault(FaultKind.CAMPAIGN, split_ms + draw.randint(1, 150), split_ms, (draw.choice(other),)),
    ]
