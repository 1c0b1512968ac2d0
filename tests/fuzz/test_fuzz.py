"""A few seconds of mutated inputs against everything that reads what peers send. `make fuzz` goes on for longer."""

import os
import subprocess
import sys
from random import Random

from tests.fuzz.__main__ import fuzz, saved
from tests.fuzz.mutate import mutations
from tests.fuzz.targets import TARGETS, name_of, seeds

SECONDS = 120 if os.environ.get("FLURM_THOROUGH") else 15


def test_no_mutated_input_breaks_a_decoder(tmp_path):
    seed = 1
    result = fuzz(SECONDS, seed)
    if result.error is not None and result.failing is not None:
        path = saved(result.failing, tmp_path)
        raise AssertionError(f"play it again: python -m tests.fuzz --replay {path}") from result.error
    assert result.inputs.keys() == TARGETS.keys()


def test_the_same_seed_gives_the_same_inputs():
    begin = list(seeds(Random(7)))[-20:]

    def first(seed: int) -> list[bytes]:
        inputs = mutations(begin, Random(seed))
        return [next(inputs) for _ in range(200)]

    assert first(3) == first(3) != first(4)


def test_a_saved_input_can_be_played_again(tmp_path):
    data = next(iter(seeds(Random(1))))
    path = saved(data, tmp_path)
    command = [sys.executable, "-m", "tests.fuzz", "--replay", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == f"target {name_of(data)}, {len(data)} bytes\n"
