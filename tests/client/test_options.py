"""Command lines, times and scripts are read as Slurm's programs read them."""

from __future__ import annotations

import time

import pytest

from flurm.client.options import UsageError, parse
from flurm.client.sbatch_options import OPTIONS, from_script
from flurm.client.squeue import OPTIONS as SQUEUE
from flurm.client.times import parse_minutes, parse_moment
from protocol.constants import INFINITE


def test_the_first_operand_ends_the_options_of_sbatch():
    given, operands = parse("sbatch", OPTIONS, ["-n2", "--job-name", "x", "job.sh", "-n", "9"], operands_end=True)
    assert given == [("ntasks", "2"), ("job_name", "x")]
    assert operands == ["job.sh", "-n", "9"]


def test_long_options_may_be_shortened_while_they_are_unique():
    assert parse("squeue", SQUEUE, ["--sort=i", "--noh"])[0] == [("sort", "i"), ("noheader", None)]
    with pytest.raises(UsageError, match="option '--sta=x' is ambiguous; possibilities: '--start' '--states'"):
        parse("squeue", SQUEUE, ["--sta=x"])


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (["--nosuch"], "squeue: unrecognized option '--nosuch'"),
        (["-y"], "squeue: invalid option -- 'y'"),
        (["-n"], "squeue: option requires an argument -- 'n'"),
        (["--long=1"], "squeue: option '--long' doesn't allow an argument"),
    ],
)
def test_complaints_are_those_of_getopt(argv: list[str], complaint: str):
    with pytest.raises(UsageError) as caught:
        parse("squeue", SQUEUE, argv)
    assert str(caught.value) == f'{complaint}\nTry "squeue --help" for more information'


def test_sbatch_lines_end_where_the_script_begins():
    script = '#!/bin/sh\n#SBATCH -J "two words" -n 2 # why\n\n# note\n#SBATCH --mem=1G\necho\n#SBATCH -t 5\n'
    assert from_script(script) == [("job_name", "two words"), ("ntasks", "2"), ("mem", "1G")]


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("90", 90), ("1:30", 2), ("1:30:00", 90), ("1-2", 1560), ("1-2:30", 1590), ("0:01", 1), ("infinite", INFINITE)],
)
def test_time_limits(text: str, minutes: int):
    assert parse_minutes(text) == minutes


@pytest.mark.parametrize("text", ["never", "1:2:3:4", "", "-5", "1-"])
def test_what_is_no_time_limit(text: str):
    with pytest.raises(ValueError):
        parse_minutes(text)


def test_moments(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    noon = 1795348800
    assert parse_moment("now+1hour", noon) == noon + 3600
    assert parse_moment("now+2days", noon) == noon + 172800
    assert parse_moment("13:00", noon) == noon + 3600
    assert parse_moment("11:00", noon) == noon + 82800
    assert parse_moment("2026-11-22T12:00:01", noon) == noon + 1
    with pytest.raises(ValueError):
        parse_moment("soon", noon)
