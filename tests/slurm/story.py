"""Stories: what is typed at a cluster, written as it is typed.

A file `scenarios/*.story` holds stories of one area. A line `## name` begins one; options stand behind the name in
brackets: `fresh` (has a cluster of its own), `22.05` or `24.11` (only there). Inside a story:

    file alice job.sh               the indented lines that follow become /mnt/alice/job.sh
    A = alice: sbatch job.sh        a shell command of alice; A is the first job id that it printed, $A in later lines
    root: scontrol hold $A          the command's stdout, stderr and exit status are compared
    @22.05 alice: ...               only with clients of that release
    wait $A RUNNING [Reason]        until squeue shows every record of the job so
    until TEXT in alice: cmd        until the output of cmd contains TEXT
    hide PATTERN                    the pattern's groups differ from run to run in this story
    # comment

`run` plays a story and cleans the cluster up; the result compares equal with what another cluster answered if the
clusters behave the same.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.slurm.normalise import JOB_ID, base_of, normalise
from tests.slurm.sandbox import Outcome

if TYPE_CHECKING:
    from tests.slurm.cluster import Cluster

SCENARIOS = Path(__file__).parent / "scenarios"
WAIT_S = 75.0
"""Longer than twice the 30 s from one look of a real slurmctld's backfill at its queue to the next."""
_COMMAND = re.compile(r"(?:(?P<name>[A-Z]\w*) = )?(?P<user>root|alice|bob): (?P<command>.*)")
_UNTIL = re.compile(r"until (?P<text>.+?) in (?P<user>root|alice|bob): (?P<command>.*)")
_CLEAN_UP = """
scancel -u root; scancel -u alice; scancel -u bob
for i in $(seq 200); do [ -z "$(squeue -h)" ] && break; sleep 0.05; done
[ "$(sinfo -h -p debug -o %T)" = idle ] || scontrol update nodename=n[1-4] state=resume 2>/dev/null
for p in debug:up long:up down:down drained:drain; do
    sinfo -h -o '%R:%a' | grep -q "^$p$" || scontrol update partitionname=${p%:*} state=${p#*:}
done
for i in $(seq 200); do [ "$(sinfo -h -p debug -o %T)" = idle ] && break; sleep 0.1; done
rm -rf /mnt/alice/* /mnt/bob/* /mnt/root/*
"""


class StoryStuck(Exception):
    """A wait came to its deadline; the text tells what was seen last and what was played so far."""


@dataclass(frozen=True)
class Story:
    """One story: its name, its options, its lines without comments."""

    name: str
    options: frozenset[str]
    lines: tuple[str, ...]

    def belongs_to(self, release: str) -> bool:
        """Whether it is played with clients of `release`."""
        named = self.options & {"22.05", "24.11"}
        return not named or release in named


@dataclass(frozen=True)
class Step:
    """One command as typed (with `$A` unexpanded), and what it gave, normalised."""

    user: str
    command: str
    stdout: str
    stderr: str
    exit: int

    def as_text(self) -> str:
        """The way a terminal would show it."""
        shown = [f"{self.user}$ {self.command}", *self.stdout.split("\n"), *(f"! {e}" for e in self.stderr.split("\n"))]
        return "\n".join(line for line in shown if line not in ("", "! ")) + f"\n[exit {self.exit}]\n"


@dataclass
class _Play:
    cluster: Cluster
    story: Story
    names: dict[str, str] = field(default_factory=dict)
    hidden: list[str] = field(default_factory=list)
    typed: list[tuple[str, str, Outcome]] = field(default_factory=list)

    def expand(self, text: str) -> str:
        """`$A` and `${A}` replaced by the job id it stands for; other dollars are the shell's."""
        return re.sub(r"\$(?:(\w+)|\{(\w+)\})", lambda found: self.names.get(found[1] or found[2], found[0]), text)

    def steps(self) -> list[Step]:
        """What was typed and answered so far, normalised."""
        base = min(map(int, self.names.values()), default=0) or base_of(
            [text for _, _, outcome in self.typed for text in (outcome.stdout, outcome.stderr)]
        )
        return [
            Step(user, command, normalise(o.stdout, base, self.hidden), normalise(o.stderr, base, self.hidden), o.exit)
            for user, command, o in self.typed
        ]


def stories() -> list[Story]:
    """All stories of all files, in order; those with a cluster of their own last."""
    found = [story for path in sorted(SCENARIOS.glob("*.story")) for story in parse(path.read_text(), path.stem)]
    names = [story.name for story in found]
    assert len(names) == len(set(names)), f"two stories have one name: {sorted(n for n in names if names.count(n) > 1)}"
    return sorted(found, key=lambda story: "fresh" in story.options)


def parse(text: str, area: str) -> list[Story]:
    """The stories of one file; their names begin with the area."""
    found: list[Story] = []
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        title, *lines = part.split("\n")
        heading = re.fullmatch(r"(\w+)(?: \[(.*)\])?", title.strip())
        assert heading, f"not a heading: {title!r}"
        kept = tuple(line for line in lines if line.strip() and not line.startswith("#"))
        found.append(Story(f"{area}-{heading[1]}", frozenset((heading[2] or "").split()), kept))
    return found


def run(story: Story, cluster: Cluster) -> list[Step]:
    """Play a story on a cluster, then cancel all jobs and put nodes and partitions back; raises StoryStuck."""
    play = _Play(cluster, story)
    try:
        lines = list(story.lines)
        while lines:
            _play_line(play, lines)
    finally:
        if "fresh" not in story.options:
            cluster.client(_CLEAN_UP)
    return play.steps()


def _play_line(play: _Play, lines: list[str]) -> None:
    line = lines.pop(0)
    if line.startswith("@"):
        release, line = line[1:].split(" ", 1)
        if release != play.cluster.release:
            return
    if found := _COMMAND.fullmatch(line):
        outcome = play.cluster.client(play.expand(found["command"]), found["user"])
        play.typed.append((found["user"], found["command"], outcome))
        if found["name"]:
            job_id = JOB_ID.search(outcome.stdout)
            if job_id is None:
                raise StoryStuck(_told(play, f"no job id was printed for {found['name']}"))
            play.names[found["name"]] = job_id[0]
    elif line.startswith("file "):
        _, user, name = line.split()
        content = []
        while lines and lines[0].startswith("    "):
            content.append(lines.pop(0)[4:])
        play.cluster.sandbox.write(f"/mnt/{user}/{name}", "\n".join(content) + "\n", user, 0o755)
    elif line.startswith("wait "):
        job, state, *reason = play.expand(line).split()[1:]
        _wait_for_job(play, job, state, reason[0] if reason else None)
    elif found := _UNTIL.fullmatch(line):
        _poll(play, found["user"], play.expand(found["command"]), lambda seen: found["text"] in seen, line)
    elif line.startswith("hide "):
        play.hidden.append(line.removeprefix("hide "))
    else:
        raise ValueError(f"not a line of a story: {line!r} in {play.story.name}")


def _wait_for_job(play: _Play, job: str, state: str, reason: str | None) -> None:
    wanted = f"{state} {reason}" if reason else state

    def reached(seen: str) -> bool:
        records = seen.splitlines()
        return bool(records) and all(f"{record} ".startswith(f"{wanted} ") for record in records)

    _poll(play, "root", f"squeue -h -r -t all -j {job} -o '%T %r' || true", reached, f"wait {job} {wanted}")


def _poll(play: _Play, user: str, command: str, reached, line: str) -> None:  # type: ignore[no-untyped-def]
    give_up = time.monotonic() + WAIT_S
    while True:
        outcome = play.cluster.client(command, user)
        if reached(outcome.stdout):
            return
        if time.monotonic() > give_up:
            raise StoryStuck(_told(play, f"{line}: last seen {outcome.stdout.strip()!r} {outcome.stderr.strip()!r}"))
        time.sleep(0.03)


def _told(play: _Play, what: str) -> str:
    return f"{what}\nso far:\n" + "".join(step.as_text() for step in play.steps())
