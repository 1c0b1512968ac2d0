"""Checks recorded lives of jobs against ``TraceJob.tla``, many runs in one run of TLC.

A recording is a file of JSON lines, as ``flurm simulate --trace DIR`` writes one for each seed. The first names the
nodes, ``{"nodes": ["n1", "n2"]}``, and each further line is a command of the log, or ``launch`` where a node has
started something, with the jobs and nodes that are other than before and all processes that run then::

    {"action": "ApplyPlan", "step": 17, "jobs": {"3": {"state": "RUNNING", "completing": [], "alloc": ["n1"],
     "host": "n1", "launch": "wanted", "restarts": 0, "held": false, "exit": null}},
     "nodes": {"n1": {"up": true, "used": [3]}}, "running": [[2, 0, "n2"]]}

``used`` are the jobs that hold the node, a process is its job, how often that had been put back, and the node; ``exit``
is null while nothing is known of it, else zero, one or signal. ``step`` is the entry's index in the log.

``python -m specs.job_traces FILE...`` checks files; exit status 0 where all are accepted, 1 where one is refused, 2
where one is no recording or TLC cannot run.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from specs import tlc
from specs.traces import BadRecording, Refused, judge, report

INVARIANTS = (
    "TypeOK", "CommandsDoTheirOwn", "OnlyKnownTransitions", "TerminalStaysTerminal", "HeldExactly", "RunsOnce",
    "NothingRunsUnknown", "ExitFits", "LaunchedOnce", "LaunchedAsWanted",
)  # fmt: skip


class JobState(msgspec.Struct, frozen=True):
    """A job's record after a step."""

    state: str
    completing: tuple[str, ...]
    alloc: tuple[str, ...]
    host: str | None
    launch: str | None
    restarts: int
    held: bool
    exit: str | None


class NodeState(msgspec.Struct, frozen=True):
    """What the cluster believes of a node after a step."""

    up: bool
    used: tuple[int, ...]


class Step(msgspec.Struct, frozen=True):
    """A command, or a launch, and what came of it."""

    action: str
    step: int
    jobs: dict[int, JobState]
    nodes: dict[str, NodeState]
    running: tuple[tuple[int, int, str], ...]


class Recording(msgspec.Struct, frozen=True):
    """A run."""

    nodes: tuple[str, ...]
    steps: tuple[Step, ...]
    name: str = ""


class _Header(msgspec.Struct):
    nodes: tuple[str, ...]


def load(path: Path) -> Recording:
    """Read a recording. Raises BadRecording."""
    number, steps = 1, []
    try:
        first, *lines = path.read_bytes().splitlines() or [b""]
        header = msgspec.json.decode(first, type=_Header)
        for line in lines:
            number += 1
            steps.append(msgspec.json.decode(line, type=Step))
    except msgspec.MsgspecError as error:
        raise BadRecording(f"{path}, line {number}: {error}") from error
    return Recording(header.nodes, tuple(steps), str(path))


def check(recordings: Sequence[Recording], timeout_s: float | None = None) -> tuple[Refused | None, tlc.Result]:
    """Check recordings in one run of TLC: None where all are accepted, else the first that is not; and TLC's result.

    Raises NoTlc where TLC cannot run, RuntimeError where it gives up.
    """
    return judge("TraceJob", INVARIANTS, recordings, {"JobData.tla": module(recordings)}, timeout_s)


def module(recordings: Sequence[Recording]) -> str:
    """The module JobData for these recordings, as `TraceJob.tla` describes it."""
    most = max((job for recording in recordings for step in recording.steps for job in step.jobs), default=1)
    names = sorted({name for recording in recordings for name in recording.nodes})
    traces = "".join(
        f"T{number} == <<\n" + ",\n".join(map(_step, recording.steps)) + ">>\n"
        for number, recording in enumerate(recordings, start=1)
    )
    return (
        f"---- MODULE JobData ----\nEXTENDS Naturals\nMostJobs == {most}\nNodeNames == {_set(map(_text, names))}\n"
        f"{traces}Traces == <<{', '.join(f'T{number}' for number in range(1, len(recordings) + 1))}>>\n====\n"
    )


def _step(step: Step) -> str:
    jobs = ",".join(_job(number, job) for number, job in step.jobs.items())
    nodes = _set(f"<<{_text(name)},{_bool(node.up)},{_set(map(str, node.used))}>>" for name, node in step.nodes.items())
    running = _set(f"<<{job},{restarts},{_text(node)}>>" for job, restarts, node in step.running)
    return f"<<{_text(step.action)},<<{jobs}>>,{nodes},{running}>>"


def _job(number: int, job: JobState) -> str:
    values = (
        str(number), _text(job.state), _set(map(_text, job.completing)), _set(map(_text, job.alloc)), _text(job.host),
        _text(job.launch), str(job.restarts), _bool(job.held), _text(job.exit),
    )  # fmt: skip
    return f"<<{','.join(values)}>>"


def _text(text: str | None) -> str:
    return f'"{text or "none"}"'


def _bool(value: bool) -> str:
    return str(value).upper()


def _set(members: Iterable[str]) -> str:
    return "{" + ",".join(members) + "}"


if __name__ == "__main__":
    sys.exit(report("python -m specs.job_traces", load, check))
