"""Files of the shapes that sites have: FLURM shows them as slurmctld 22.05 and 24.11 do (see echo.py)."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from flurm.config import ConfigError, Machine
from flurm.config.from_slurm import interpret
from flurm.config.slurmconf import read_slurm_conf
from tests.config import echo
from tests.slurm import roots

CASES = [
    (release, name) for release in echo.RELEASES for name in echo.names() if name not in echo.REFUSED.get(release, {})
]


@pytest.mark.parametrize(("release", "name"), CASES)
def test_a_sites_file_is_shown_as_slurmctld_shows_it(tmp_path, release, name):
    ours = echo.of_flurm(name, release, tmp_path)
    found = echo.differences(name, release, ours)
    skipped = echo.NOT_ALIKE[release].get(name, ())
    assert {place: both for place, both in found.items() if place.partition(".")[0] not in skipped} == {}


def test_there_are_thirty_files_of_each_release():
    for release in echo.RELEASES:
        seen = [name for name, each in echo.recorded(release).items() if "refused" not in each]
        assert len(seen) >= 30
        assert set(echo.names()) - set(seen) == set(echo.REFUSED.get(release, {}))


def mutated(seed: int) -> tuple[str, str]:
    """A file with one or two pieces of it replaced by others, and the host that it is for."""
    chance = random.Random(seed)
    name = chance.choice([each for each in echo.names() if each not in ("included", "large", "tree", "gpu")])
    text = echo.path_of(name).read_bytes().decode()
    for _ in range(chance.randint(1, 2)):
        start = chance.randint(len(text) // 3, len(text))
        piece = chance.choice(["", "=", "#", "\\", '"', " ", "\n", "[", "-", ",", "0", "x", "ALL", "\t"])
        text = text[:start] + piece + text[start + chance.randint(0, 5) :]
    return text, echo.host_of(name)


def is_taken(path: Path, host: str) -> bool:
    """Whether FLURM takes a file; a refusal has file and line."""
    try:
        interpret(read_slurm_conf(str(path)), Machine(hostname=host), [])
    except ConfigError as refused:
        assert all(each.file and each.line for each in refused.all)
        return False
    return True


@pytest.mark.slurm
@pytest.mark.skipif(not os.environ.get("FLURM_THOROUGH"), reason="FLURM_THOROUGH is not set")
@pytest.mark.skipif(os.geteuid() != 0, reason="a sandbox needs root")
@pytest.mark.timeout(600)
def test_mutated_files_that_are_taken_are_taken_by_slurmctld(tmp_path):
    from tests.config.record_echo import Slurmctld

    path = tmp_path / "slurm.conf"
    with Slurmctld("22.05") as slurmctld:
        for seed in range(100):
            text, host = mutated(seed)
            path.write_bytes(text.encode())
            if is_taken(path, host):
                assert "refused" not in slurmctld.echo_of(path, host), text


@pytest.mark.slurm
@pytest.mark.skipif(not os.environ.get("FLURM_THOROUGH"), reason="FLURM_THOROUGH is not set")
@pytest.mark.skipif(os.geteuid() != 0, reason="a sandbox needs root")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("release", echo.RELEASES)
def test_the_recorded_echoes_are_what_slurmctld_still_says(release):
    from tests.config.record_echo import record

    if release == "24.11" and (missing := roots.missing()):
        pytest.skip(missing)
    recorded = {name: each for name, each in echo.recorded(release).items() if "refused" not in each}
    again = record(release)
    assert {name: again[name] for name in recorded} == recorded
