"""How long host lists of 10,000 names take. Run: python -m bench.hostlists

The best of several runs in milliseconds of this thread's own time, as the budget is 5 ms for each on a quiet core.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from protocol.hostlist import contains, count, difference, expand, fold, fold_sorted, intersect

HOSTS = 10_000
RUNS = 20


def cases() -> dict[str, Callable[[], object]]:
    """What is measured, by its label."""
    names = [f"n{number}" for number in range(1, HOSTS + 1)]
    mixed = random.Random(1).sample(names, HOSTS)
    folded, padded, plain, scattered = f"n[1-{HOSTS}]", f"n[00001-{HOSTS}]", ",".join(names), fold(names[::2])
    return {
        "expand one range": lambda: expand(folded),
        "expand one padded range": lambda: expand(padded),
        "expand names without brackets": lambda: expand(plain),
        "expand 5,000 single numbers": lambda: expand(scattered),
        "fold in order": lambda: fold(names),
        "fold mixed": lambda: fold(mixed),
        "fold and sort mixed": lambda: fold_sorted(mixed),
        "count": lambda: count(folded),
        "count names without brackets": lambda: count(plain),
        "contains": lambda: contains(folded, "n7777"),
        "intersect": lambda: intersect(folded, "n[5000-14999]"),
        "difference": lambda: difference(folded, "n[5000-14999]"),
    }


def measure(work: Callable[[], object]) -> float:
    """The best time in milliseconds."""
    best_s = float("inf")
    for _ in range(RUNS):
        started_s = time.thread_time()
        work()
        best_s = min(best_s, time.thread_time() - started_s)
    return best_s * 1000


def main() -> None:
    """Print a line per case."""
    for label, work in cases().items():
        print(f"{label:32} {measure(work):7.3f} ms")


if __name__ == "__main__":
    main()
