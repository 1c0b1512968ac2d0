"""Launch credentials that node daemons believe."""

import pytest

from protocol.auth import (
    ExpiredCredential,
    ForgedCredential,
    MalformedCredential,
    RestrictedCredential,
    Signer,
    TokenSigner,
)
from protocol.codec import decode_body, pack, unpack
from protocol.constants import NO_VAL, MessageType
from protocol.credential import (
    NodeCores,
    check_launch_credential,
    check_sbcast_credential,
    credential_body,
    io_key,
    launch_credential,
    net_credential,
    open_launch_credential,
    open_net_credential,
    open_sbcast_credential,
    sbcast_credential,
    unsigned,
    unsigned_or_token,
)
from protocol.errors import EncodeError
from protocol.frame import decode_frame
from protocol.messages import CredentialBody, LaunchCredential, NodeAliasAddrs, SbcastCredential, StepId, UserIdentity
from protocol.versions import Version
from protocol.wire import Address, Bits
from tests.protocol.wire_data import KEY, TOKEN_KEY, recorded_frames

CONTROLLER = Signer(KEY, 64030, 64030)
TOKENS = TokenSigner(TOKEN_KEY, 64030, 64030, "cluster1", "ctl1")
TOKEN_VERSIONS = [each for each in Version if each >= Version.V23_11]
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


@pytest.mark.parametrize("version", tuple(Version))
def test_the_key_of_a_steps_output_is_the_signature_of_its_credential(version):
    signed = launch_credential(body(), version, CONTROLLER, 1000)
    assert io_key(signed) == signed.signature
    assert isinstance(io_key(signed), bytes if version <= Version.V23_02 else str)


@pytest.mark.parametrize("version", TOKEN_VERSIONS)
def test_a_launch_token_is_believed_after_a_trip(version):
    credential = launch_credential(body(), version, TOKENS, 1000, restrict_uid=0)
    again = unpack(LaunchCredential, pack(credential, version), version)
    opened = open_launch_credential(again, version, TOKEN_KEY, 1000, reader_uids=(0,))
    assert pack(opened, version) == pack(body(), version)
    assert opened.id == ALICE
    with pytest.raises(ExpiredCredential):
        open_launch_credential(again, version, TOKEN_KEY, 1060)
    with pytest.raises(RestrictedCredential):
        open_launch_credential(again, version, TOKEN_KEY, 1000, reader_uids=(1001,))


def test_a_launch_credential_of_the_other_plugin_is_refused():
    version = Version.V24_11
    token, signed = (launch_credential(body(), version, signer, 1000) for signer in (TOKENS, CONTROLLER))
    assert open_launch_credential(signed, version, KEY, 1000) == signed.credential
    with pytest.raises(MalformedCredential):
        open_launch_credential(token, version, KEY, 1000)
    with pytest.raises(MalformedCredential):
        open_launch_credential(signed, version, TOKEN_KEY, 1000)
    with pytest.raises(MalformedCredential):
        open_sbcast_credential(SbcastCredential(token=token.token), version, KEY, 1000)


def test_the_token_of_a_frame_does_not_launch_anything():
    frame_token = TOKENS.auth_section(MessageType.REQUEST_PING, b"", 1000).token
    with pytest.raises(RestrictedCredential):
        open_launch_credential(LaunchCredential(token=frame_token), Version.V24_11, TOKEN_KEY, 1000)
    launch = launch_credential(body(), Version.V24_11, TOKENS, 1000)
    with pytest.raises(RestrictedCredential):
        open_sbcast_credential(SbcastCredential(token=launch.token), Version.V24_11, TOKEN_KEY, 1000)


def test_a_launch_token_that_names_two_users_is_forged():
    payload = pack(body(), Version.V24_11)
    token = TOKENS.token("launch", payload, Version.V24_11, 1000, uid=0, gid=0)
    with pytest.raises(ForgedCredential, match="two users"):
        open_launch_credential(LaunchCredential(token=token), Version.V24_11, TOKEN_KEY, 1000)


@pytest.mark.parametrize("ver", [0x2600 - 0x100, 0x7F00, Version.V24_11])
def test_a_launch_token_whose_payload_cannot_be_read_is_refused(ver):
    token = TOKENS.token("launch", b"short", ver, 1000, uid=1001, gid=1001)
    with pytest.raises(MalformedCredential):
        open_launch_credential(LaunchCredential(token=token), Version.V24_11, TOKEN_KEY, 1000)


def test_releases_before_23_11_have_no_launch_tokens():
    with pytest.raises(EncodeError, match=r"from 23\.11 on"):
        launch_credential(body(), Version.V23_02, TOKENS, 1000)


def test_a_batch_launch_has_a_token_where_tokens_are_used_and_no_signature_elsewhere():
    assert unsigned_or_token(body(), Version.V24_11, TOKENS, 1000).token is not None
    assert unsigned_or_token(body(), Version.V24_11, CONTROLLER, 1000) == unsigned(body(), Version.V24_11)


@pytest.mark.parametrize("version", TOKEN_VERSIONS)
@pytest.mark.parametrize("job_id", [5, 0])
def test_an_sbcast_token_says_what_it_is_for_with_and_without_a_job(version, job_id):
    step = StepId(sluid=0xA696880C99DC7C00, job_id=job_id, step_id=3, step_het_comp=NO_VAL)
    blank = SbcastCredential(step=step, job_id=job_id, step_id=3, nodes="n[1-2]", id=ALICE)
    signed = unpack(SbcastCredential, pack(sbcast_credential(blank, version, TOKENS, 1000), version), version)
    told = open_sbcast_credential(signed, version, TOKEN_KEY, 1000)
    assert (told.job_id, told.step_id, told.nodes, told.id, told.expiration) == (job_id, 3, "n[1-2]", ALICE, 1060)
    assert told.step.sluid == (step.sluid if version >= Version.V25_11 else 0)


@pytest.mark.parametrize(("signer", "key"), [(CONTROLLER, KEY), (TOKENS, TOKEN_KEY)])
def test_signed_node_addresses_are_believed_of_the_controller_alone(signer, key):
    addresses = NodeAliasAddrs(node_addrs=[Address("10.0.0.11", 6818)], node_cnt=1, node_list="n1")
    text = net_credential(addresses, Version.V24_11, signer, 1000)
    assert open_net_credential(text, Version.V24_11, key, 1000, signer_uids=(0, 64030)) == addresses
    with pytest.raises(ForgedCredential):
        open_net_credential(text, Version.V24_11, key, 1000, signer_uids=(0,))
