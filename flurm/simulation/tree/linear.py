"""Whether a history of requests and answers can be explained by jobs that change one request at a time.

Wing and Gong's search, one job at a time: requests about different jobs commute, so each job has a history of its own
(Herlihy and Wing: linearizability is local). A request takes effect at one moment between its invocation and its
answer; one that nobody answered takes effect at any moment after its invocation, or never.

A job, as its owner sees it, waits (``P``), is held (``H``), runs (``R``) or is over (``E``); before its submission it
is not there (``-``). Between two requests the cluster itself may move it: a waiting job starts, one that runs ends or
is put back, held if it was held meanwhile. So the search goes on with a set of possible states, not with one.
"""

from __future__ import annotations

from typing import Any

from flurm.simulation.tree.clients import Op
from protocol.errno import Errno

ABSENT, WAITING, HELD, RUNNING, RUNNING_HELD, OVER = "-", "P", "H", "R", "r", "E"
_BY_ITSELF = {
    WAITING: (WAITING, RUNNING, OVER),
    RUNNING: (RUNNING, WAITING, OVER),
    RUNNING_HELD: (RUNNING_HELD, HELD, OVER),
}
_GONE = frozenset({int(Errno.ESLURM_INVALID_JOB_ID)})
_DONE = frozenset({int(Errno.ESLURM_ALREADY_DONE), int(Errno.ESLURM_JOB_FINISHED)})
_UNKNOWN = frozenset({int(Errno.SLURM_COMMUNICATIONS_SEND_ERROR)})
"""The manager that was asked has crashed meanwhile: what was asked for may have been done, or not."""
_MAX_STEPS = 200_000


class TooHard(Exception):
    """The search was given up."""


def check(history: list[Op], final: Any = None) -> list[str]:
    """What cannot be explained, a line per job; ``final`` is the cluster at the end, for ids that nobody was told."""
    problems = []
    for job_id, ops in _by_job(history, final).items():
        try:
            explained = explains(ops)
        except TooHard:
            continue
        if not explained:
            story = "; ".join(_told(op) for op in ops)
            problems.append(f"no order of requests explains what was answered about job {job_id}: {story}")
    return problems


def _by_job(history: list[Op], final: Any) -> dict[int, list[Op]]:
    ids = {job.spec.name: job.id for job in final.jobs.values()} if final is not None else {}
    jobs: dict[int, list[Op]] = {}
    for op in history:
        if op.kind in ("list", "look") or (op.kind == "submit" and op.code not in (None, 0)):
            continue
        job_id = op.job_id or ids.get(op.name, 0)
        if job_id:
            jobs.setdefault(job_id, []).append(op)
    return jobs


def _told(op: Op) -> str:
    until = "never" if op.returned_s is None else f"{op.returned_s:.3f}"
    return f"{op.client} {op.kind}{' held' if op.held else ''} {op.invoked_s:.3f}-{until} -> {op.code}"


def explains(ops: list[Op]) -> bool:
    """Whether some order of these requests about one job gives the answers that were given. Raises TooHard."""
    seen: set[tuple[int, frozenset[str]]] = set()
    answered = sum(1 << i for i, op in enumerate(ops) if op.returned_s is not None)
    stack = [(0, _moves(frozenset({ABSENT})))]
    steps = 0
    while stack:
        done, states = stack.pop()
        if done & answered == answered:
            return True
        if (done, states) in seen:
            continue
        seen.add((done, states))
        steps += 1
        if steps > _MAX_STEPS:
            raise TooHard
        first_return_s = min(
            op.returned_s for i, op in enumerate(ops) if op.returned_s is not None and not done >> i & 1
        )
        for i, op in enumerate(ops):
            if done >> i & 1 or op.invoked_s > first_return_s:
                continue
            after = _moves(frozenset(new for state in states for new in apply(op, state)))
            if after:
                stack.append((done | 1 << i, after))
    return False


def _moves(states: frozenset[str]) -> frozenset[str]:
    """Where the cluster may have taken the job from there without being asked."""
    reached, new = set(states), list(states)
    while new:
        for state in _BY_ITSELF.get(new.pop(), ()):
            if state not in reached:
                reached.add(state)
                new.append(state)
    return frozenset(reached)


def apply(op: Op, state: str) -> tuple[str, ...]:
    """The states after a request in ``state``; none where its answer would have been another one."""
    if op.kind == "submit":
        return (HELD if op.held else WAITING,) if state == ABSENT else ()
    if op.code is None or op.code == 0 or op.code in _UNKNOWN:
        after = _AFTER[op.kind].get(state)
        if after is not None:
            return (after,)
        return () if op.code == 0 else (state,)
    if op.code in _GONE:
        return (state,) if state == ABSENT else ()
    if op.code in _DONE:
        return (state,) if state == OVER else ()
    return (state,)


_AFTER = {
    "hold": {WAITING: HELD, HELD: HELD, RUNNING: RUNNING_HELD, RUNNING_HELD: RUNNING_HELD},
    "release": {WAITING: WAITING, HELD: WAITING, RUNNING: RUNNING, RUNNING_HELD: RUNNING},
    "cancel": {WAITING: OVER, HELD: OVER, RUNNING: OVER, RUNNING_HELD: OVER},
}
