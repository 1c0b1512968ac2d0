"""`python -m specs`: has TLC check the specs and prints how many states it looked at.

Exit status 0 where every model holds, every mutant is refused with the expected name and every recorded run is
accepted, as far as each was asked for; else 1; 2 where TLC cannot run.
"""

from __future__ import annotations

import argparse
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from specs import recorded, tlc, traces
from specs.models import MODELS, MUTANTS, Model

_TIMEOUT_S = {"default": 900.0, "mutant": 300.0, "large": None}


class Line(msgspec.Struct, frozen=True):
    """One run of TLC, as the tables have it; `complaint` is empty where it went as expected."""

    group: str
    title: str
    runs: int
    result: tlc.Result
    verdict: str
    complaint: str = ""


def main(arguments: list[str] | None = None) -> int:
    """Parse the arguments, check, print."""
    parser = argparse.ArgumentParser(prog="python -m specs", description="Have TLC check the TLA+ specs.")
    parser.add_argument("specs", nargs="*", metavar="SPEC", help="only these specs or models (a part of the name)")
    parser.add_argument("--model", choices=("default", "large"), default="default", help="how large the models are")
    parser.add_argument("--mutants", action="store_true", help="the planted violations instead: each must be refused")
    parser.add_argument("--all", action="store_true", help="models, planted violations and the simulator's runs")
    parser.add_argument("--workers", type=int, default=1, help="threads of TLC (default 1)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="write each run's configuration and output here")
    options = parser.parse_args(arguments)
    sizes = {"mutant"} if options.mutants else {options.model, *(["mutant"] if options.all else [])}
    chosen = [
        model
        for model in (*MODELS, *MUTANTS)
        if model.size in sizes
        if not options.specs or any(part.lower() in model.title.lower() for part in options.specs)
    ]
    if not chosen:
        parser.error("no such spec or model")
    try:
        tlc.find()
    except tlc.NoTlc as error:
        print(error, file=sys.stderr)
        return 2
    return 0 if _check_all(chosen, options.workers, options.keep, with_recorded=options.all) else 1


def check(model: Model, workers: int = 1) -> tlc.Result:
    """Check one model."""
    return tlc.run(
        model.spec,
        model.configuration(),
        properties=model.liveness,
        workers=workers,
        timeout_s=_TIMEOUT_S[model.size],
    )


def is_as_expected(model: Model, result: tlc.Result) -> bool:
    """Whether a model holds, or a mutant is refused for the right reason."""
    return result.passed if model.expected is None else result.violated == model.expected


def _check_all(models: list[Model], workers: int, keep: Path | None, with_recorded: bool = False) -> bool:
    began_s = time.monotonic()
    print(f"{'spec and model':<52} {'generated':>10} {'distinct':>9} {'depth':>5} {'seconds':>7}  result", flush=True)
    lines = [_shown(_checked(model, workers, keep)) for model in models]
    if with_recorded:
        lines.append(_shown(_recorded("TraceRaft", "runs of the Raft core", recorded.raft)))
        lines.append(_shown(_recorded("TraceJob", "runs of the whole tree", recorded.tree)))
    for line in lines:
        if line.complaint:
            print(f"\n{line.title}\n{line.complaint}")
    _print_summary(lines, time.monotonic() - began_s)
    return not any(line.complaint for line in lines)


def _checked(model: Model, workers: int, keep: Path | None) -> Line:
    result = check(model, workers)
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        stem = model.title.replace(": ", "-").replace(" ", "_")
        (keep / f"{stem}.cfg").write_text(model.configuration())
        (keep / f"{stem}.out").write_text(result.output)
    complaint = "" if is_as_expected(model, result) else f"{model.configuration()}\n{result.output}"
    group = f"{model.spec}, rules broken" if model.expected else model.spec
    return Line(group, model.title, 1, result, _verdict(model, result), complaint)


def _recorded(
    spec: str, title: str, record_and_check: Callable[[Path], tuple[int, traces.Refused | None, tlc.Result]]
) -> Line:
    with tempfile.TemporaryDirectory(prefix="flurm-recorded-") as place:
        count, refused, result = record_and_check(Path(place))
    complaint = f"step {refused.step} ({refused.action}) breaks {refused.rule}: {refused.recording}" if refused else ""
    verdict = f"REFUSED: {complaint}" if refused else "accepted"
    return Line(spec, f"{spec}: {count} {title}", count, result, verdict, complaint)


def _verdict(model: Model, result: tlc.Result) -> str:
    found = f"violates {result.violated}" if result.violated else ("holds" if result.passed else "did not finish")
    if is_as_expected(model, result):
        return found
    return f"{found}: NOT AS EXPECTED" + (f" ({model.expected})" if model.expected else "")


def _shown(line: Line) -> Line:
    result = line.result
    print(
        f"{line.title:<52} {result.generated:>10} {result.distinct:>9} {result.depth:>5} {result.seconds:>7.1f}  "
        f"{line.verdict}",
        flush=True,
    )
    return line


def _print_summary(lines: Iterable[Line], took_s: float) -> None:
    """States explored per spec, and what all of it took."""
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(line.group, []).append(line)
    print(f"\n{'states explored':<32} {'runs':>5} {'generated':>10} {'distinct':>9} {'seconds':>7}")
    for group, members in groups.items():
        results = [line.result for line in members]
        print(
            f"{group:<32} {sum(line.runs for line in members):>5} {sum(r.generated for r in results):>10} "
            f"{sum(r.distinct for r in results):>9} {sum(r.seconds for r in results):>7.1f}"
        )
    bad = sum(bool(line.complaint) for members in groups.values() for line in members)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu_s = sum(each.ru_utime + each.ru_stime for each in used)
    total = sum(map(len, groups.values()))
    print(f"{total - bad} as expected, {bad} not; {took_s / 60:.1f} minutes, {cpu_s / 60:.1f} of CPU time")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # so that TLC does not live on
    sys.exit(main())
