"""An accounting daemon of one cluster, one account, two users and one job, for real clients to ask.

`python -m tests.slurm.accounting_daemon KEYFILE PORT` serves until it is killed. It has no database: questions
get what `ANSWERS` says, whatever their filter; changes get the answer that a change gets. Every opening and request is
printed, one line each, so that a test can see what the client meant.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from pathlib import Path

from protocol import versions
from protocol.auth import MungeKey, authenticate
from protocol.codec import message_name
from protocol.constants import INFINITE, JobState, MessageType, Tres
from protocol.constants import DbdMessageType as Dbd
from protocol.dbd_constants import AdminLevel, QosFlag
from protocol.messages import (
    DbAccount,
    DbAssocMembers,
    DbCluster,
    DbCoord,
    DbdAccounts,
    DbdAssocs,
    DbdClusters,
    DbdFederations,
    DbdIdRc,
    DbdIdRcs,
    DbdJobs,
    DbdJobStart,
    DbdJobStarts,
    DbdLines,
    DbdQosList,
    DbdResources,
    DbdTres,
    DbdUsers,
    DbdWckeys,
    DbJob,
    DbQos,
    DbStep,
    DbTresNoalloc,
    DbUser,
    PersistReply,
    StepId,
)
from protocol.nested import Message, pack_messages, unpack_messages
from protocol.persist import Opening, PersistServer, Request

START_S = 1_700_000_000
UNLIMITED = dict.fromkeys(
    (
        "grp_jobs",
        "grp_jobs_accrue",
        "grp_submit_jobs",
        "grp_wall",
        "max_jobs",
        "max_jobs_accrue",
        "max_submit_jobs",
        "max_wall_pj",
        "min_prio_thresh",
        "priority",
    ),
    INFINITE,
)


def assoc(number: int, acct: str, **more: object) -> DbAssocMembers:
    """An association of cluster testc without limits but those that are given."""
    about = {"id": number, "acct": acct, "cluster": "testc", "shares_raw": 1, "is_def": 1, "qos_list": ["1"]}
    lineage = f"/{acct}/" + (f"0-{more['user']}/" if "user" in more else "")
    return DbAssocMembers(**{**UNLIMITED, **about, "lineage": lineage, "lft": number, "rgt": number, **more})


ASSOCS = [
    assoc(1, "root"),
    assoc(2, "root", user="root", uid=0),
    assoc(3, "proj1", parent_acct="root", grp_tres="1=8,4=2"),
    assoc(4, "proj1", user="alice", uid=1001, shares_raw=20, max_jobs=50, max_wall_pj=90),
]
STEP = DbStep(
    step_id=StepId(job_id=70001, step_id=0, step_het_comp=0xFFFFFFFE),
    stepname="hostname",
    start=START_S + 1,
    end=START_S + 4,
    elapsed=3,
    exitcode=2 << 8,
    state=JobState.FAILED,
    nnodes=1,
    ntasks=2,
    nodes="n1",
    tres_alloc_str="1=2,2=100,4=1",
)
JOB = DbJob(
    jobid=70001,
    jobname="train",
    account="proj1",
    user="alice",
    uid=1001,
    gid=1001,
    cluster="testc",
    partition="debug",
    associd=4,
    qosid=1,
    nodes="n1",
    alloc_nodes=1,
    req_cpus=2,
    submit=START_S - 10,
    eligible=START_S - 10,
    start=START_S,
    end=START_S + 65,
    elapsed=65,
    state=JobState.FAILED,
    exitcode=2 << 8,
    timelimit=90,
    tres_alloc_str="1=2,2=100,4=1,5=2",
    tres_req_str="1=2,2=100,4=1,5=2",
    submit_line="sbatch train.sh",
    work_dir="/mnt/alice",
    show_full=1,
    steps=[STEP],
)
USERS = [
    DbUser(name="root", uid=0, default_acct="root", admin_level=AdminLevel.SUPER_USER, assoc_list=ASSOCS[1:2]),
    DbUser(
        name="alice",
        uid=1001,
        default_acct="proj1",
        admin_level=AdminLevel.NONE,
        assoc_list=ASSOCS[3:],
        coord_accts=[DbCoord("proj1", 1)],
    ),
]
QOS = DbQos(
    name="normal", id=1, description="Normal QOS", priority=7, flags=QosFlag.DENY_LIMIT | QosFlag.NO_DECAY,
    usage_factor=1.0, usage_thres=0.5, limit_factor=float(INFINITE), preempt_mode=0, grace_time=30, max_wall_pj=1440,
    max_tres_pu="1=16", max_jobs_pu=20,
)  # fmt: skip
CLUSTER = DbCluster(name="testc", control_host="127.0.0.1", control_port=6817, dimensions=1, flags=0, fed_state=0)
TRES = [DbTresNoalloc(id=tres, type=tres.name.lower()) for tres in Tres if tres is not Tres.FS_DISK]
TRES.append(DbTresNoalloc(id=Tres.FS_DISK, type="fs", name="disk"))

ANSWERS = {
    Dbd.DBD_GET_CLUSTERS: (Dbd.DBD_GOT_CLUSTERS, DbdClusters([CLUSTER])),
    Dbd.DBD_GET_TRES: (Dbd.DBD_GOT_TRES, DbdTres(TRES)),
    Dbd.DBD_GET_USERS: (Dbd.DBD_GOT_USERS, DbdUsers(USERS)),
    Dbd.DBD_GET_ASSOCS: (Dbd.DBD_GOT_ASSOCS, DbdAssocs(ASSOCS)),
    Dbd.DBD_GET_QOS: (Dbd.DBD_GOT_QOS, DbdQosList([QOS])),
    Dbd.DBD_GET_RES: (Dbd.DBD_GOT_RES, DbdResources([])),
    Dbd.DBD_GET_FEDERATIONS: (Dbd.DBD_GOT_FEDERATIONS, DbdFederations([])),
    Dbd.DBD_GET_WCKEYS: (Dbd.DBD_GOT_WCKEYS, DbdWckeys([])),
    Dbd.DBD_GET_JOBS_COND: (Dbd.DBD_GOT_JOBS, DbdJobs([JOB])),
    Dbd.DBD_GET_ACCOUNTS: (
        Dbd.DBD_GOT_ACCOUNTS,
        DbdAccounts([DbAccount(name="proj1", description="first", organization="lab")]),
    ),
}


def answered(request: Message) -> Message:
    """What this daemon says to one request."""
    match request.record:
        case DbdJobStart(job_id=job_id):
            return Message(Dbd.DBD_ID_RC, DbdIdRc(job_id=job_id, db_index=job_id))
        case DbdJobStarts(items=jobs):
            return Message(Dbd.DBD_GOT_MULT_JOB_START, DbdIdRcs([answered(Message(0, job)).record for job in jobs]))
    if request.number in ANSWERS:
        return Message(*ANSWERS[Dbd(request.number)])
    if "_MODIFY_" in message_name(request.number) or "_REMOVE_" in message_name(request.number):
        return Message(Dbd.DBD_GOT_LIST, DbdLines(["  what was to be changed"]))
    return Message(MessageType.PERSIST_RC, PersistReply(ret_info=request.number))


def answer(server: PersistServer, request: Message) -> bytes:
    """What this daemon says to a request, which may be many in one."""
    print(f"{message_name(request.number)} {request.record!r}", flush=True)
    if request.number != Dbd.DBD_SEND_MULT_MSG:
        told = answered(request)
        return server.answer(told.number, told.record)
    many = unpack_messages(request.record, server.version)
    for one in many:
        print(f"{message_name(one.number)} {one.record!r}", flush=True)
    return server.answer(Dbd.DBD_GOT_MULT_MSG, pack_messages(map(answered, many), server.version))


def serve(peer: socket.socket, key: MungeKey) -> None:
    """One connection from its opening to its end."""
    server = PersistServer(limit=1 << 20)
    with peer:
        while data := peer.recv(1 << 16):
            server.receive_data(data)
            while (event := server.next_event()) is not None:
                match event:
                    case Opening(frame=frame, version=version) if version is not None:
                        who = authenticate(frame, key, time.time())
                        print(f"opened by {who.uid} in {versions.name(version)}", flush=True)
                        peer.sendall(server.accept(version))
                    case Request(number=number, record=record):
                        peer.sendall(answer(server, Message(number, record)))


def main(key_file: str, port: str) -> None:
    """Serve on 127.0.0.1."""
    key = MungeKey(Path(key_file).read_bytes())
    with socket.create_server(("127.0.0.1", int(port))) as listener:
        print("listening", flush=True)
        while True:
            peer, _ = listener.accept()
            threading.Thread(target=serve, args=(peer, key), daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
