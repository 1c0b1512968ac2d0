"""Every request that slurmctld serves has a state here; what is not carried out gets an answer that clients read."""

from pathlib import Path

import pytest

from flurm.bridge import absent, queries, requests
from flurm.bridge.queries import Context
from flurm.core.records import Cluster
from protocol.codec import decode_body, encode_body
from protocol.constants import MessageType
from protocol.versions import Version

ROOT = Path(__file__).parents[2]
ROOT_ASKS = Context(cluster=Cluster(), version=0x2600, uid=0, gid=0, now_s=0)
SERVED_BY_SLURMCTLD = (ROOT / "tests/data/rpcs/slurmctld.txt").read_text().split()


@pytest.mark.parametrize("name", SERVED_BY_SLURMCTLD)
def test_every_request_that_slurmctld_serves_has_a_state(name):
    assert MessageType[name] in absent.states()


@pytest.mark.parametrize("version", [Version.V22_05, Version.V24_11])
@pytest.mark.parametrize("number", absent.ABSENT)
def test_what_is_not_carried_out_gets_a_number_in_the_askers_release(number, version):
    kind, record = absent.answer(number, ROOT_ASKS)
    read = decode_body(kind, encode_body(kind, record, version), version)
    assert kind == MessageType.RESPONSE_SLURM_RC
    assert read.return_code == int(absent.ABSENT[number][0]) & 0xFFFFFFFF


def test_a_number_that_nobody_knows_is_an_invalid_argument():
    assert absent.answer(64000, ROOT_ASKS)[1].return_code == 22


def test_nothing_that_is_served_is_called_absent():
    assert not set(absent.ABSENT) & {*queries.served(), *requests.served(), *requests.unsupported()}


def test_the_page_of_requests_is_current():
    assert (ROOT / "docs/rpcs.md").read_text() == absent.page(), "python -m flurm.bridge.absent > docs/rpcs.md"
