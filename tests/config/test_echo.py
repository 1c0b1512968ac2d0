"""Files of the shapes that sites have: FLURM shows them as slurmctld 22.05 and 24.11 do (see echo.py)."""

from __future__ import annotations

import os

import pytest

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
