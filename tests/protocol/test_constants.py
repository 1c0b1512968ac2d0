"""Numbers and names that clients print."""

import pytest

from protocol import versions
from protocol.constants import JobReason, JobState, JobStateFlag, MessageType, NodeState, NodeStateFlag
from protocol.errors import Errno, errno_text
from protocol.versions import Version


@pytest.mark.parametrize(
    ("number", "text"),
    (
        (Errno.ESLURM_INVALID_JOB_ID, "Invalid job id specified"),
        (Errno.ESLURM_INVALID_PARTITION_NAME, "Invalid partition name specified"),
        (Errno.ESLURM_ACCESS_DENIED, "Access/permission denied"),
        (22, "Invalid argument"),
        (123456, "Unknown error 123456"),
    ),
)
def test_an_error_number_has_the_text_that_clients_print(number, text):
    assert errno_text(number) == text


def test_reasons_have_the_names_that_clients_print():
    assert JobReason.RESOURCES.text == "Resources"
    assert JobReason(8) is JobReason.HELD and JobReason.HELD.text == "JobHeldAdmin"
    assert JobReason.PART_NODE_LIMIT.text == "PartitionNodeLimit"


def test_states_and_flags_do_not_overlap():
    assert max(JobState) < min(JobStateFlag)
    assert max(NodeState) < min(NodeStateFlag)


def test_versions_have_names_and_an_order():
    assert versions.name(Version.V24_11) == "24.11" and versions.by_name("24.11") is Version.V24_11
    assert versions.name(0x2400) == "0x2400" and not versions.is_supported(0x2400)
    assert versions.OLDEST < Version.V23_11 < versions.NEWEST


def test_message_numbers_are_slurms():
    assert MessageType.REQUEST_SUBMIT_BATCH_JOB == 4003
    assert MessageType.RESPONSE_SLURM_RC == 8001
