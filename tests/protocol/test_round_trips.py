"""Every message in every version: any record that it can carry is read back equal and written again the same."""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol import versions
from protocol.codec import decode_body, encode_body, message_name
from protocol.constants import MESSAGE_BOUNDS
from protocol.schema import BODIES
from protocol.versions import Version
from tests.protocol.strategies import records
from tests.protocol.wire_data import bodies

THOROUGH = bool(os.environ.get("FLURM_THOROUGH"))
ALL = tuple(Version)


def cases() -> list[tuple[int, Version]]:
    """Every message in every version that has it; where time is short, every sixth in one version, all in turn."""
    found = []
    for index, number in enumerate(bodies() if THOROUGH else bodies()[::6]):
        first, last = MESSAGE_BOUNDS.get(number, (ALL[0], ALL[-1]))
        carried = [version for version in ALL if first <= version <= last]
        found += [(number, version) for version in (carried if THOROUGH else [carried[index % len(carried)]])]
    return found


CASES = cases()


@pytest.mark.parametrize(
    "number, version", CASES, ids=[f"{message_name(number)}-{versions.name(version)}" for number, version in CASES]
)
def test_a_record_comes_back_equal(number, version):
    record = BODIES[number]
    assert record is not None

    @settings(max_examples=50 if THOROUGH else 3, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def check(data):
        value = data.draw(records(record, version))
        body = encode_body(number, value, version)
        again = decode_body(number, body, version)
        assert encode_body(number, again, version) == body
        assert again == value

    check()
