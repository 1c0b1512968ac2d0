"""`scontrol show config|nodes|partitions` of Slurm's own clients prints under FLURM what it prints under slurmctld."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.config import echo, texts
from tests.slurm.test_clients import why_not

THOROUGH = bool(os.environ.get("FLURM_THOROUGH"))
pytestmark = [pytest.mark.slurm, pytest.mark.timeout(900 if THOROUGH else 120)]
LOOKED_AT = [name for name in echo.names() if name not in texts.ELSEWHERE] if THOROUGH else texts.SAMPLE


@pytest.fixture(scope="module", params=echo.RELEASES)
def clients(request: pytest.FixtureRequest) -> Iterator[object]:
    if reason := why_not(request.param):
        pytest.skip(reason)
    from tests.config.record_texts import Clients

    with Clients(request.param) as made:
        yield made


@pytest.mark.parametrize("name", LOOKED_AT)
def test_clients_print_what_they_print_under_slurmctld(clients, name):
    if name not in texts.recorded(clients.release):
        pytest.skip(f"slurmctld {clients.release} did not answer on it")
    if clients.user_of(name) != "root" and not clients.may_read():
        pytest.skip("SlurmUser may not read where FLURM is installed")
    assert texts.differences(clients.release, name, clients.under_flurm(name)) == []


@pytest.mark.skipif(not THOROUGH, reason="FLURM_THOROUGH is not set")
def test_the_recorded_texts_are_what_clients_still_print(clients):
    for name, recorded in texts.recorded(clients.release).items():
        again = clients.under_slurmctld(name)
        assert {each: texts.settled(text) for each, text in again.items()} == {
            each: texts.settled(text) for each, text in recorded.items()
        }, name
