"""What nodes are told of a job is what a real controller told them of the same job."""

import itertools

import pytest

from flurm.bridge import launch, requests, users
from flurm.core.effects import SignalJob
from flurm.core.enums import JobState
from flurm.core.job_records import Allocation, ArrayTask, Job, NodeShare
from protocol.codec import decode_body, encode_body
from protocol.constants import EXTERN_STEP, MessageType
from protocol.errno import Errno
from protocol.hostlist import expand
from protocol.messages import ReturnCode, ReturnCodeText, UserIdentity
from protocol.versions import Version
from tests.bridge.sent import ALICE, CONFIG, VERSIONS, Blobs, all_sent, cluster, context, sent

LAUNCH = MessageType.REQUEST_BATCH_JOB_LAUNCH
CASES = [
    (release, step)
    for release in ("22.05", "24.11")
    for step in ("sbatch-plain", "sbatch-wrap", "sbatch-many-options", "sbatch-array")
    if (release, step) != ("24.11", "sbatch-many-options")
]


@pytest.fixture(autouse=True)
def alice(monkeypatch):
    identity = UserIdentity(
        uid=ALICE, gid=ALICE, pw_name="alice", pw_gecos="", pw_dir="/home/alice", pw_shell="/bin/sh", gids=[ALICE]
    )
    monkeypatch.setattr(users, "identity_of", lambda uid, gid: identity)


def job_of(release, step, credential, blobs, array=None) -> Job:
    """The job that a real controller launched: as it was submitted, on the cores of its credential."""
    record = sent(release, step, "REQUEST_SUBMIT_BATCH_JOB")
    call = requests.to_call(MessageType.REQUEST_SUBMIT_BATCH_JOB, record, context(release=release, blobs=blobs))
    spec = call.command.spec.with_(account="proj1", qos="normal")
    if spec.memory_per_node_mib is None:
        spec = spec.with_(memory_per_cpu_mib=50)
    names = expand(credential.job_hostlist)
    cpus = list(
        itertools.chain(*([n] * k for n, k in zip(credential.cpu_array, credential.cpu_array_reps, strict=True)))
    )
    cores = credential.job_core_bitmap.mask
    shares = tuple(
        NodeShare(
            node=int(name[1:]) - 1,
            cores=cores >> 4 * place & 0xF,
            cpus=cpus[place],
            memory_mib=credential.job_mem_alloc[0] if credential.job_mem_alloc else 0,
        )
        for place, name in enumerate(names)
    )
    return Job(
        id=credential.step_id.job_id, spec=spec, state=JobState.RUNNING, partition=credential.job_partition,
        allocation=Allocation(shares), node_names=tuple(names), array=array, time_limit_min=5,
        start_s=credential.job_start_time, end_s=credential.job_end_time,
    )  # fmt: skip


def launched(job, blobs, version, now_s=0):
    record = launch.batch_launch(job, cluster(), version=version, blobs=blobs, config=CONFIG, signer=None, now_s=now_s)
    return decode_body(LAUNCH, encode_body(LAUNCH, record, version), version)


@pytest.mark.parametrize(("release", "step"), CASES)
def test_a_batch_launch_is_what_a_real_controller_sent(release, step):
    theirs, blobs = sent(release, step, "REQUEST_BATCH_JOB_LAUNCH"), Blobs()
    array = None
    if theirs.array_job_id:
        array = ArrayTask(job_id=theirs.array_job_id, task_id=theirs.array_task_id, count=4, lowest=0, highest=3)
    credential = theirs.cred.credential
    ours = launched(job_of(release, step, credential, blobs, array), blobs, VERSIONS[release], credential.ctime)
    credential.job_gres_list = []
    assert ours == theirs


@pytest.mark.parametrize(("release", "step"), CASES)
def test_a_prolog_is_asked_for_with_the_jobs_credential_for_the_extern_step_on_all_its_nodes(release, step):
    theirs, blobs, version = sent(release, step, "REQUEST_BATCH_JOB_LAUNCH"), Blobs(), VERSIONS[release]
    batch = theirs.cred.credential
    record = launch.prolog_launch(
        job_of(release, step, batch, blobs), cluster(), version=version, signer=None, now_s=batch.ctime
    )
    message = MessageType.REQUEST_LAUNCH_PROLOG
    ours = decode_body(message, encode_body(message, record, version), version)
    credential = ours.slurm_cred.credential
    assert (ours.uid, ours.nodes, ours.work_dir) == (batch.uid or batch.id.uid, theirs.nodes, theirs.work_dir)
    assert (credential.step_id.step_id, credential.step_hostlist) == (EXTERN_STEP, batch.job_hostlist)
    assert sum(credential.job_mem_alloc_rep_count) == credential.job_nhosts == batch.job_nhosts
    assert credential.job_core_bitmap == credential.step_core_bitmap == batch.job_core_bitmap


@pytest.mark.parametrize(("release", "step"), [case for case in CASES if case[1] in ("sbatch-plain", "sbatch-wrap")])
def test_a_termination_is_what_a_real_controller_sent(release, step):
    state = cluster()
    for node, theirs in all_sent(release, step, "REQUEST_TERMINATE_JOB"):
        job = job_of(release, step, theirs.slurm_cred.credential, Blobs())
        job = job.with_(state=JobState.COMPLETED, start_s=theirs.start_time, end_s=theirs.time)
        version = VERSIONS[release]
        msg_type, record = launch.termination(
            job.id, job, state.nodes[node], version=version, now_s=theirs.time, cluster=state
        )
        assert msg_type == MessageType.REQUEST_TERMINATE_JOB
        assert decode_body(msg_type, encode_body(msg_type, record, version), version) == theirs


@pytest.mark.parametrize("version", list(Version))
def test_every_release_gets_its_launch_and_its_termination(version):
    theirs, blobs, state = sent("22.05", "sbatch-wrap", "REQUEST_BATCH_JOB_LAUNCH"), Blobs(), cluster()
    job = job_of("22.05", "sbatch-wrap", theirs.cred.credential, blobs)
    ours = launched(job, blobs, version)
    assert (ours.script, ours.nodes, ours.cred_version) == (theirs.script, "n[1-2]", version)
    assert ours.cred.credential.job_core_bitmap == theirs.cred.credential.job_core_bitmap
    for known in (job, None):
        msg_type, record = launch.termination(7, known, state.nodes["n1"], version=version, now_s=1, cluster=state)
        assert decode_body(msg_type, encode_body(msg_type, record, version), version).step_id.job_id == 7


def test_a_job_of_an_array_knows_the_array():
    theirs, blobs = sent("22.05", "sbatch-array", "REQUEST_BATCH_JOB_LAUNCH"), Blobs()
    array = ArrayTask(job_id=40, task_id=7, count=3, lowest=1, highest=7, step=3)
    ours = launched(job_of("22.05", "sbatch-array", theirs.cred.credential, blobs, array), blobs, 0x2600)
    assert (ours.array_job_id, ours.array_task_id) == (40, 7)
    assert ours.environment[-4:] == [
        "SLURM_ARRAY_TASK_COUNT=3", "SLURM_ARRAY_TASK_MIN=1", "SLURM_ARRAY_TASK_MAX=7", "SLURM_ARRAY_TASK_STEP=3",
    ]  # fmt: skip


@pytest.mark.parametrize("submitted", [[], ["SLURM_NTASKS=4", "SLURM_NPROCS=4"]])
def test_a_job_of_so_many_tasks_per_node_is_told_their_number_once(submitted):
    theirs, blobs = sent("24.11", "sbatch-plain", "REQUEST_BATCH_JOB_LAUNCH"), Blobs()
    job = job_of("24.11", "sbatch-plain", theirs.cred.credential, blobs)
    (environment,) = blobs.put_many(["\0".join(submitted).encode()])
    spec = job.spec.with_(ntasks_per_node=2, num_tasks=4, environment_digest=environment)
    ours = launched(job.with_(spec=spec), blobs, 0x2A00)
    told = [item for item in ours.environment if item.startswith(("SLURM_NTASKS=", "SLURM_NPROCS="))]
    assert told == ["SLURM_NTASKS=4", "SLURM_NPROCS=4"]


@pytest.mark.parametrize(("open_mode", "told"), [(0, []), (1, ["SLURM_OPEN_MODE=a"]), (2, ["SLURM_OPEN_MODE=t"])])
def test_a_script_is_told_how_its_output_is_opened_where_its_client_did_not(open_mode, told):
    theirs, blobs = sent("22.05", "sbatch-plain", "REQUEST_BATCH_JOB_LAUNCH"), Blobs()
    job = job_of("22.05", "sbatch-plain", theirs.cred.credential, blobs)
    ours = launched(job.with_(spec=job.spec.with_(open_mode=open_mode)), blobs, 0x2600)
    assert [item for item in ours.environment if item.startswith("SLURM_OPEN_MODE=")] == told


def test_a_job_that_nobody_knows_is_aborted():
    msg_type, record = launch.termination(9, None, cluster().nodes["n2"], version=0x2600, now_s=5)
    assert (msg_type, record.step_id.job_id, record.nodes) == (MessageType.REQUEST_ABORT_JOB, 9, "n2")


@pytest.mark.parametrize(
    ("state", "msg_type", "sent_state"),
    [
        (JobState.TIMEOUT, MessageType.REQUEST_KILL_TIMELIMIT, 0x8006),
        (JobState.CANCELLED, MessageType.REQUEST_TERMINATE_JOB, 0x8004),
        (JobState.PENDING, MessageType.REQUEST_TERMINATE_JOB, 0x8400),
    ],
)
def test_the_node_is_told_how_the_job_ended(state, msg_type, sent_state):
    theirs = sent("22.05", "sbatch-plain", "REQUEST_BATCH_JOB_LAUNCH")
    job = job_of("22.05", "sbatch-plain", theirs.cred.credential, Blobs()).with_(state=state)
    found, record = launch.termination(job.id, job, cluster().nodes["n1"], version=0x2600, now_s=5)
    assert (found, record.job_state) == (msg_type, sent_state)


@pytest.mark.parametrize(
    ("code", "error", "retry"),
    [
        (0, False, False),
        (Errno.ESLURM_DUPLICATE_JOB_ID, False, False),
        (11, True, True),
        (Errno.ESLURMD_CREDENTIAL_REVOKED, True, True),
        (Errno.ESLURMD_INVALID_JOB_CREDENTIAL, True, False),
        (Errno.ESLURMD_CREATE_BATCH_DIR_ERROR, True, False),
    ],
)
def test_a_nodes_answer_to_a_launch_is_judged(code, error, retry):
    verdict = launch.verdict_of(MessageType.RESPONSE_SLURM_RC, ReturnCode(return_code=code))
    assert (verdict.error is not None, verdict.retry) == (error, retry)
    assert launch.verdict_of(MessageType.RESPONSE_SLURM_RC_MSG, ReturnCodeText(return_code=code)) == verdict


def test_an_answer_that_is_none_is_no_acceptance():
    assert launch.verdict_of(MessageType.RESPONSE_PING_SLURMD, None).retry


def test_a_node_that_has_nothing_of_the_job_says_so():
    rc = MessageType.RESPONSE_SLURM_RC
    assert launch.is_already_gone(rc, ReturnCode(return_code=Errno.ESLURMD_KILL_JOB_ALREADY_COMPLETE))
    assert not launch.is_already_gone(rc, ReturnCode())
    assert not launch.is_already_gone(rc, None)


def test_signals_go_out_as_a_real_controller_sends_them():
    theirs = sent("22.05", "sbatch-plain", "REQUEST_BATCH_JOB_LAUNCH")
    job = job_of("22.05", "sbatch-plain", theirs.cred.credential, Blobs()).with_(id=18)
    to_steps = launch.signal(job, SignalJob(18, ("n1",), 18), version=0x2600)
    to_batch = launch.signal(job, SignalJob(18, ("n1",), 18, batch_only=True), version=0x2600)
    assert to_steps == sent("22.05", "scancel-signal", "REQUEST_SIGNAL_TASKS")
    assert to_batch == sent("22.05", "scancel-batch-signal", "REQUEST_SIGNAL_TASKS")
    assert launch.signal(job, SignalJob(18, ("n1",), 15, whole_job=True), version=0x2600).flags == 8
