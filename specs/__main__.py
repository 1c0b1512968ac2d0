"""`python -m specs`: has TLC check the specs and prints how many states it looked at.

Exit status 0 where every model holds (with `--mutants`: where TLC refuses every mutant with the expected name), else 1;
2 where TLC cannot run.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from specs import tlc
from specs.models import MODELS, MUTANTS, Model

_TIMEOUT_S = {"default": 900.0, "mutant": 300.0, "large": None}


def main(arguments: list[str] | None = None) -> int:
    """Parse the arguments, check, print."""
    parser = argparse.ArgumentParser(prog="python -m specs", description="Have TLC check the TLA+ specs.")
    parser.add_argument("specs", nargs="*", metavar="SPEC", help="only these specs or models (a part of the name)")
    parser.add_argument("--model", choices=("default", "large"), default="default", help="how large the models are")
    parser.add_argument("--mutants", action="store_true", help="the planted violations instead: each must be refused")
    parser.add_argument("--workers", type=int, default=1, help="threads of TLC (default 1)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="write each run's configuration and output here")
    options = parser.parse_args(arguments)
    chosen = [
        model
        for model in (MUTANTS if options.mutants else MODELS)
        if options.mutants or model.size == options.model
        if not options.specs or any(part.lower() in model.title.lower() for part in options.specs)
    ]
    if not chosen:
        parser.error("no such spec or model")
    try:
        tlc.find()
    except tlc.NoTlc as error:
        print(error, file=sys.stderr)
        return 2
    return 0 if _check_all(chosen, options.workers, options.keep) else 1


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


def _check_all(models: list[Model], workers: int, keep: Path | None) -> bool:
    print(f"{'spec and model':<52} {'generated':>10} {'distinct':>9} {'depth':>5} {'seconds':>7}  result", flush=True)
    failed = []
    for model in models:
        result = check(model, workers)
        print(
            f"{model.title:<52} {result.generated:>10} {result.distinct:>9} {result.depth:>5} {result.seconds:>7.1f}  "
            f"{_verdict(model, result)}",
            flush=True,
        )
        if not is_as_expected(model, result):
            failed.append((model, result))
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            stem = model.title.replace(": ", "-").replace(" ", "_")
            (keep / f"{stem}.cfg").write_text(model.configuration())
            (keep / f"{stem}.out").write_text(result.output)
    for model, result in failed:
        print(f"\n{model.title}\n{model.configuration()}\n{result.output}")
    print(f"{len(models) - len(failed)} passed, {len(failed)} failed")
    return not failed


def _verdict(model: Model, result: tlc.Result) -> str:
    found = f"violates {result.violated}" if result.violated else ("holds" if result.passed else "did not finish")
    if is_as_expected(model, result):
        return found
    return f"{found}: NOT AS EXPECTED" + (f" ({model.expected})" if model.expected else "")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # so that TLC does not live on
    sys.exit(main())
