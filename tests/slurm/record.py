"""Plays the stories at real Slurm and writes the goldens.

    python -m tests.slurm.record [--release 22.05] [--check] [name part ...]

With `--check` nothing is written: the stories are played again and compared with what is there, to find what is not
stable. Needs root, Debian's Slurm 22.05 packages, and for 24.11 a Debian 13 root (see roots.py).
"""

from __future__ import annotations

import argparse
import difflib
import sys

from tests.slurm import golden
from tests.slurm.cluster import RELEASES, Cluster, RealCluster
from tests.slurm.story import Step, Story, StoryStuck, run, stories


def difference(expected: list[Step], actual: list[Step]) -> str:
    """A unified diff of two plays as a terminal would show them; empty where they are equal."""
    wanted = "".join(step.as_text() for step in expected).splitlines()
    seen = "".join(step.as_text() for step in actual).splitlines()
    return "\n".join(difflib.unified_diff(wanted, seen, "real Slurm", "seen", lineterm="", n=4))


def main() -> int:
    """Record or check; 1 where a story got stuck or differed."""
    parser = argparse.ArgumentParser(description="record what real Slurm answers")
    parser.add_argument("--release", choices=RELEASES, action="append")
    parser.add_argument("--check", action="store_true", help="compare with the goldens instead of writing them")
    parser.add_argument("--show", action="store_true", help="print what was played")
    parser.add_argument("names", nargs="*", help="parts of story names; all stories where none is given")
    args = parser.parse_args()
    chosen = [s for s in stories() if not args.names or any(part in s.name for part in args.names)]
    failed = 0
    for release in args.release or RELEASES:
        failed += _play_release(release, [s for s in chosen if s.belongs_to(release)], args)
    return 1 if failed else 0


def _play_release(release: str, chosen: list[Story], args: argparse.Namespace) -> int:
    shared: Cluster | None = None
    failed = 0
    for story in chosen:
        own = "fresh" in story.options
        if own:
            cluster: Cluster = RealCluster(release)
        else:
            cluster = shared = shared or RealCluster(release)
        try:
            steps = run(story, cluster)
        except StoryStuck as stuck:
            print(f"STUCK {release} {story.name}: {stuck}", file=sys.stderr)
            failed += 1
            continue
        finally:
            if own:
                cluster.close()
        if args.show:
            print(f"== {release} {story.name}\n" + "".join(step.as_text() for step in steps))
        if not args.check:
            golden.save(release, story, steps)
        elif diff := difference(golden.load(release, story), steps):
            print(f"DIFFERS {release} {story.name}\n{diff}", file=sys.stderr)
            failed += 1
    if shared is not None:
        shared.close()
    return failed


if __name__ == "__main__":
    sys.exit(main())
