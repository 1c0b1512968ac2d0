"""Checks recorded runs of Raft members against ``TraceRaft.tla``, many in one run of TLC.

A recording is a file of JSON lines, as ``python -m flurm.simulation raft --trace DIR`` writes one for each seed. The
first names the cluster::

    {"members": ["a", "b", "c"], "voters": ["a", "b", "c"]}

and each further line is a step, with the members that it changed (all of them in the first)::

    {"action": "a: Tick", "step": 7, "members": {"a": {"alive": true, "role": "leader", "term": 2, "voted_for": "a",
     "saved_term": 2, "saved_vote": "a", "kept": 1, "log": [[2, "configuration", ["a", "b"], ["b"]]], "commit": 1}}}

``term`` and ``voted_for`` are what the member goes by, ``saved_term`` and ``saved_vote`` what its disk holds. Of the
log on its disk, which goes back to the beginning, ``kept`` entries are as before and ``log`` follows them, as
[term, kind] pairs (kinds: noop, command, machine_version), of configurations with their voters and outgoing voters. A
member that is down keeps its disk, and ``alive`` is false. ``step`` numbers the step where one is refused; whatever
else a line says is for people. Steps that change nobody are left out when the file is read.

``python -m specs.traces FILE...`` checks files; exit status 0 where all are accepted, 1 where one is refused, 2 where
one is no recording or TLC cannot run.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from specs import tlc

INVARIANTS = (
    "TermsOnlyGrow", "OneVotePerTerm", "RestartsFromDisk", "OneLeaderPerTerm", "LeadersAreElected",
    "EntriesComeFromLeaders", "LogsMatch", "CommitsAreDurable", "FollowersFollow", "CommitsOnlyGrow", "AgreedStays",
)  # fmt: skip
_KINDS = {"noop": 0, "command": 1, "machine_version": 2}
_FIRST_CONFIGURATION = 3
_ROLES = ("follower", "candidate", "leader")
_MOST_MEMBERS = 8


class MemberState(msgspec.Struct, frozen=True):
    """One member after a step."""

    alive: bool
    role: str
    term: int
    voted_for: str | None
    saved_term: int
    saved_vote: str | None
    log: tuple[tuple[Any, ...], ...]
    commit: int
    kept: int = 0


class Step(msgspec.Struct, frozen=True):
    """What happened, and the members that it changed."""

    action: str
    members: dict[str, MemberState]
    step: int | None = None


class Recording(msgspec.Struct, frozen=True):
    """A run: the cluster it began as, and its steps, the first with every member."""

    members: tuple[str, ...]
    voters: tuple[str, ...]
    steps: tuple[Step, ...]
    name: str = ""


class Refused(msgspec.Struct, frozen=True):
    """Which recording breaks which rule at which step: by its own number, or counted (the first is 1)."""

    recording: str
    rule: str
    step: int
    action: str


class BadRecording(ValueError):
    """A file is no recording; the message says where."""


class _Header(msgspec.Struct):
    members: tuple[str, ...]
    voters: tuple[str, ...]


def load(path: Path) -> Recording:
    """Read a recording. Raises BadRecording."""
    lines = path.read_bytes().splitlines()
    number, steps = 1, []
    try:
        header = msgspec.json.decode(lines[0] if lines else b"", type=_Header)
        for line in lines[1:]:
            number += 1
            step = msgspec.json.decode(line, type=Step)
            if step.members or not steps:
                steps.append(step)
    except msgspec.MsgspecError as error:
        raise BadRecording(f"{path}, line {number}: {error}") from error
    if not steps or set(steps[0].members) != set(header.members):
        raise BadRecording(f"{path}: the first step must have every member")
    return Recording(header.members, header.voters, tuple(steps), str(path))


def dump(recording: Recording, path: Path) -> None:
    """Write a recording."""
    lines = [msgspec.json.encode(_Header(recording.members, recording.voters))]
    lines += [msgspec.json.encode(step) for step in recording.steps]
    path.write_bytes(b"\n".join(lines) + b"\n")


def check(recordings: Sequence[Recording], timeout_s: float | None = None) -> tuple[Refused | None, tlc.Result]:
    """Check recordings in one run of TLC: None where all are accepted, else the first that is not; and TLC's result.

    Raises NoTlc where TLC cannot run, RuntimeError where it gives up.
    """
    return judge("TraceRaft", INVARIANTS, recordings, {"TraceData.tla": module(recordings)}, timeout_s)


def judge(
    spec: str, invariants: Iterable[str], recordings: Sequence[Any], data: dict[str, str], timeout_s: float | None
) -> tuple[Refused | None, tlc.Result]:
    """What TLC says of recordings of any kind, which are `data` to this spec: as `check`, and raises as it does."""
    configuration = "SPECIFICATION Spec\n" + "".join(f"INVARIANT {name}\n" for name in invariants)
    result = tlc.run(spec, configuration, files=data, timeout_s=timeout_s)
    if result.passed:
        return None, result
    if result.violated is None:
        raise RuntimeError(result.output)
    index, place = _where(result.output)
    recording = recordings[index - 1]
    step = recording.steps[place - 1]
    number = place if step.step is None else step.step
    return Refused(recording.name or f"recording {index}", result.violated, number, step.action), result


def _where(output: str) -> tuple[int, int]:
    """Which trace TLC's counterexample is of, and the step that it ends with."""
    traces, steps = re.findall(r"^/\\ trace = (\d+)", output, re.M), re.findall(r"^/\\ step = (\d+)", output, re.M)
    return int(traces[-1]), int(steps[-1])


def module(recordings: Iterable[Recording]) -> str:
    """The module TraceData for these recordings, as `TraceRaft.tla` describes it. Raises BadRecording."""
    packers = []
    configurations: list[str] = []
    for recording in recordings:
        packers.append(_Packer(recording, configurations))
    traces = "".join(f"T{number} ==\n{packer.text()}\n" for number, packer in enumerate(packers, start=1))
    return (
        "---- MODULE TraceData ----\nEXTENDS Naturals\n"
        f"{traces}"
        f"Configurations == <<{', '.join(configurations)}>>\n"
        f"Traces == <<{', '.join(f'T{number}' for number in range(1, len(packers) + 1))}>>\n====\n"
    )


class _Packer:
    """One recording as numbers; logs by what changed of them. Configurations are numbered across recordings."""

    def __init__(self, recording: Recording, configurations: list[str]) -> None:
        self.recording = recording
        self.configurations = configurations
        self.numbers = {name: number for number, name in enumerate(recording.members, start=1)}
        if len(self.numbers) >= _MOST_MEMBERS:
            raise BadRecording(f"{recording.name}: more than {_MOST_MEMBERS - 1} members")
        self.logs: dict[str, list[int]] = {name: [] for name in recording.members}

    def text(self) -> str:
        steps = ",\n".join(self._step(step) for step in self.recording.steps)
        members, voters = self._set(self.recording.members), self._set(self.recording.voters)
        return f"[members |-> {members}, voters |-> {voters}, steps |-> <<\n{steps}>>]"

    def _step(self, step: Step) -> str:
        return f"<<{', '.join(self._change(name, state) for name, state in step.members.items())}>>"

    def _change(self, name: str, state: MemberState) -> str:
        flags = state.alive + 2 * _ROLES.index(state.role) + 8 * self._voted(state.voted_for)
        flags += 64 * self._voted(state.saved_vote)
        old = self.logs[name]
        new = old[: state.kept] + [self._entry(entry) for entry in state.log]
        same = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
        self.logs[name] = new
        numbers = (self.numbers[name], flags, state.term, state.saved_term, state.commit, same, *new[same:])
        return f"<<{','.join(map(str, numbers))}>>"

    def _voted(self, name: str | None) -> int:
        return self.numbers[name] if name else 0

    def _entry(self, entry: tuple[Any, ...]) -> int:
        term, kind = entry[:2]
        if kind != "configuration":
            return term * 1000 + _KINDS[kind]
        text = f"[voters |-> {self._set(entry[2])}, outgoing |-> {self._set(entry[3])}]"
        if text not in self.configurations:
            self.configurations.append(text)
        return term * 1000 + _FIRST_CONFIGURATION + self.configurations.index(text)

    def _set(self, names: Iterable[str]) -> str:
        return "{" + ", ".join(str(self.numbers[name]) for name in names) + "}"


def report(program: str, load: Callable[[Path], Any], check: Callable[[list[Any]], tuple[Refused | None, Any]]) -> int:
    """Check the files that the command line names; the exit status."""
    parser = argparse.ArgumentParser(prog=program, description="Check recorded runs against the specs.")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    options = parser.parse_args()
    began_s = time.monotonic()
    try:
        recordings = [load(path) for path in options.files]
        refused, _ = check(recordings)
    except (BadRecording, OSError, tlc.NoTlc, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 2
    if refused is not None:
        print(f"{refused.recording}: step {refused.step} ({refused.action}) breaks {refused.rule}")
        return 1
    steps = sum(len(recording.steps) for recording in recordings)
    print(f"{len(recordings)} recordings, {steps} steps: accepted in {time.monotonic() - began_s:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(report("python -m specs.traces", load, check))
