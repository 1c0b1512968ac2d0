"""Launch credentials that node daemons believe."""

import pytest

from protocol.auth import ForgedCredential, MalformedCredential, Signer
from protocol.codec import decode_body, pack, unpack
from protocol.constants import NO_VAL, MessageType
from protocol.credential import (
    NodeCores,
    check_launch_credential,
    check_sbcast_credential,
    credential_body,
    launch_credential,
    sbcast_credential,
    unsigned,
)
from protocol.frame import decode_frame
from protocol.messages import CredentialBody, LaunchCredential, SbcastCredential, StepId, UserIdentity
from protocol.versions import Version
from protocol.wire import Bits
from tests.protocol.wire_data import KEY, recorded_frames

CONTROLLER = Signer(KEY, 64030, 64030)
ALICE = UserIdentity(1001, 1001, "alice", "", "/home/alice", "/bin/sh", [1001], [])


def body(**more) -> CredentialBody:
    cores = [NodeCores(1, 4, 0b0001, 0b0001, 1, 50, 50), NodeCores(1, 4, 0b0001, 0b0001, 1, 50, 50)]
    defaults = {
        "step_id": StepId(job_id=34, step_id=0, step_het_comp=NO_VAL),
        "identity": ALICE,
        "job_nodes": "n[1-2]",
        "step_nodes": "n[1-2]",
        "cores": cores,
        "ctime_s": 1795347638,
        "ntasks": 2,
        "account": "proj1",
        "partition": "debug",
    }
    return credential_body(**{**defaults, **more})


def test_a_body_built_here_is_the_one_that_slurmctld_made():
    recorded = next(
        record.cred.credential
        for record in (
            decode_body(frame.msg_type, frame.body, frame.version)
            for frame in map(decode_frame, recorded_frames("22.05"))
            if frame.msg_type == MessageType.REQUEST_LAUNCH_TASKS and frame.version == Version.V22_05
        )
        if record.cred.credential.job_hostlist == "n[1-2]" and record.cred.credential.step_hostlist == "n[1-2]"
    )
    ours = body(
        step_id=recorded.step_id,
        ctime_s=recorded.ctime,
        ntasks=recorded.job_ntasks,
        cores=[
            NodeCores(1, 4, mask, mask, recorded.cpu_array[0], recorded.job_mem_alloc[0], recorded.step_mem_alloc[0])
            for mask in (recorded.job_core_bitmap.mask & 15, recorded.job_core_bitmap.mask >> 4)
        ],
    )
    assert pack(ours, Version.V22_05) == pack(recorded, Version.V22_05)


@pytest.mark.parametrize("version", tuple(Version))
def test_a_signed_credential_is_believed_after_a_trip(version):
    credential = launch_credential(body(), version, CONTROLLER, 1000)
    again = unpack(LaunchCredential, pack(credential, version), version)
    assert check_launch_credential(again, version, KEY, 1000).uid == 64030
    again.credential.uid = again.credential.id.uid = 0
    with pytest.raises(ForgedCredential):
        check_launch_credential(again, version, KEY, 1000)


@pytest.mark.parametrize("version", tuple(Version))
def test_an_unsigned_credential_travels_but_proves_nothing(version):
    again = unpack(LaunchCredential, pack(unsigned(body(), version), version), version)
    with pytest.raises(MalformedCredential):
        check_launch_credential(again, version, KEY, 1000)


def test_cores_of_unlike_nodes_stand_side_by_side():
    cores = [NodeCores(2, 4, 0xFF, 0x0F, 8, 100), NodeCores(2, 4, 0x0F, 0x0F, 4, 50), NodeCores(1, 4, 1, 1, 1, 50)]
    mixed = body(cores=cores)
    assert mixed.job_core_bitmap == Bits(20, 0x1_0F_FF)
    assert (mixed.cores_per_socket, mixed.sockets_per_node, mixed.sock_core_rep_count) == ([4, 4], [2, 1], [2, 1])
    assert (mixed.cpu_array, mixed.cpu_array_reps) == ([8, 4, 1], [1, 1, 1])
    assert (mixed.job_mem_alloc, mixed.job_mem_alloc_rep_count) == ([100, 50], [1, 2])
    assert mixed.step_mem_alloc_size == 0


@pytest.mark.parametrize("version", tuple(Version))
def test_an_sbcast_credential_is_signed_without_its_signature(version):
    blank = SbcastCredential(ctime=1000, expiration=2000, job_id=5, nodes="n[1-2]", uid=1001, id=ALICE)
    signed = sbcast_credential(blank, version, CONTROLLER, 1000)
    again = unpack(SbcastCredential, pack(signed, version), version)
    assert check_sbcast_credential(again, version, KEY, 1000).uid == 64030
    again.nodes = "n[1-9]"
    with pytest.raises(ForgedCredential):
        check_sbcast_credential(again, version, KEY, 1000)
