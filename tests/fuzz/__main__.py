"""`python -m tests.fuzz`: throw inputs at everything that reads what peers send, until time is up.

With atheris (the extra `fuzz`) inputs are guided by coverage, without it they are mutations alone. An input that breaks
a promise is saved in the current directory (or --save) and the command that plays it again is printed; then the run
ends with status 1.

    python -m tests.fuzz --seconds 3600
    python -m tests.fuzz --replay crash-1234abcd
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.fuzz.mutate import mutations

SLOW_S = 10


class Result(NamedTuple):
    """How many inputs each target got, and the first that failed with what it raised."""

    inputs: Counter[str]
    failing: bytes | None = None
    error: Exception | None = None


def fuzz(seconds: float, seed: int, progress_s: float = 60) -> Result:
    """Mutated inputs for `seconds`, or until one fails."""
    from tests.fuzz.targets import name_of, run, seeds

    random = Random(seed)
    inputs: Counter[str] = Counter()
    started = said = time.monotonic()
    for data in mutations(list(seeds(random, bodies_each=3)), random):
        before = time.monotonic()
        if before - started > seconds:
            break
        inputs[name_of(data)] += 1
        try:
            run(data)
            if (took := time.monotonic() - before) > SLOW_S:
                raise TimeoutError(f"one input of {len(data)} bytes took {took:.0f} s")
        except Exception as error:
            return Result(inputs, data, error)
        if before - said > progress_s:
            said = before
            print(f"{before - started:.0f} s: {inputs.total()} inputs", flush=True)
    return Result(inputs)


def _watched(save: Path) -> Callable[[bytes], None]:
    from tests.fuzz.targets import run

    def watched(data: bytes) -> None:
        try:
            run(data)
        except Exception:
            print(_how_to_replay(saved(data, save)), flush=True)
            raise

    return watched


def _how_to_replay(path: Path) -> str:
    return f"saved; to play it again: python -m tests.fuzz --replay {path}"


def guided(seconds: int, save: Path) -> None:
    """The same under atheris; never returns, since libFuzzer ends the process.

    Everything in `protocol` is watched, generated code included: it is instrumented when it has been compiled.
    """
    import atheris

    with atheris.instrument_imports(include=["protocol"]):
        from protocol import compiler
        from tests.fuzz.targets import seeds

    plain = compiler._compile

    def instrumented(record: type, version: int) -> compiler.Codec:
        codec = plain(record, version)
        return codec._replace(unpack=atheris.instrument_func(codec.unpack))

    compiler._compile = instrumented
    with tempfile.TemporaryDirectory(prefix="flurm-fuzz-") as corpus:
        for number, data in enumerate(seeds(Random(1))):
            (Path(corpus) / f"{number:05}").write_bytes(data)
        options = [
            f"-max_total_time={seconds}",
            f"-artifact_prefix={save}/",
            f"-timeout={6 * SLOW_S}",
            "-rss_limit_mb=2048",
        ]
        options += ["-max_len=8192", "-len_control=0", "-print_final_stats=1", corpus]
        atheris.Setup([sys.argv[0], *options], _watched(save))
        atheris.Fuzz()


def saved(data: bytes, save: Path) -> Path:
    """Where a failing input now lies."""
    path = save / f"crash-{hashlib.sha1(data).hexdigest()[:12]}"
    path.write_bytes(data)
    return path


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=int, default=30, help="how long to go on (30)")
    parser.add_argument("--seed", type=int, default=1, help="which mutations, where atheris is not used (1)")
    parser.add_argument("--save", type=Path, default=Path(), help="directory for inputs that fail (here)")
    parser.add_argument("--replay", type=Path, help="play one saved input again instead")
    parser.add_argument("--plain", action="store_true", help="mutations alone, even where atheris is installed")
    options = parser.parse_args()
    if options.replay:
        from tests.fuzz.targets import name_of, run

        data = options.replay.read_bytes()
        print(f"target {name_of(data)}, {len(data)} bytes")
        run(data)
        return 0
    if not options.plain:
        try:
            guided(options.seconds, options.save)
        except ImportError:
            print("atheris is not installed: mutations alone", flush=True)
    result = fuzz(options.seconds, options.seed)
    print(f"{result.inputs.total()} inputs:", ", ".join(f"{name} {n}" for name, n in sorted(result.inputs.items())))
    if result.failing is None:
        return 0
    traceback.print_exception(result.error)
    print(_how_to_replay(saved(result.failing, options.save)))
    return 1


if __name__ == "__main__":
    sys.exit(main())
