"""The goldens: what real Slurm of a release answered to each story, one JSON file per story."""

from __future__ import annotations

import json
from pathlib import Path

from tests.slurm.story import Step, Story

DIRECTORY = Path(__file__).parent / "golden"


def path(release: str, story: Story) -> Path:
    """Where the golden of a story lies."""
    return DIRECTORY / release / f"{story.name}.json"


def save(release: str, story: Story, steps: list[Step]) -> None:
    """Write a golden; outputs are lists of lines, so that a change can be read in a diff."""
    records = [
        {
            "user": s.user,
            "command": s.command,
            "stdout": s.stdout.split("\n"),
            "stderr": s.stderr.split("\n"),
            "exit": s.exit,
        }
        for s in steps
    ]
    target = path(release, story)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps({"story": story.name, "release": release, "steps": records}, indent=1) + "\n")


def load(release: str, story: Story) -> list[Step]:
    """The steps of a golden; raises FileNotFoundError where it was never recorded."""
    records = json.loads(path(release, story).read_text())["steps"]
    return [Step(r["user"], r["command"], "\n".join(r["stdout"]), "\n".join(r["stderr"]), r["exit"]) for r in records]
