"""Records what real slurmctld answers to every query, as the tests' measure of equality.

    FLURM_ROOTS=... python -m tests.bridge.record [22.05] [24.11]

A real cluster (tests.slurm) gets the same jobs each time and is asked at five moments: idle, running (four jobs run),
pending (many kinds of jobs wait), bob (what another user may see), mixed (jobs over, a node down, one drained). The
frames go to tests/data/bridge/<release>.json.gz: moment -> time and {"version:query": frame in hex}. Needs what
tests.slurm needs.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import time
from pathlib import Path

from protocol import messages as wire
from protocol.codec import encode_body
from protocol.constants import BATCH_STEP, MESSAGE_BOUNDS, NO_VAL
from protocol.constants import MessageType as M
from tests.bridge.recorded import DATA
from tests.slurm.cluster import RealCluster

VERSIONS = {"22.05": (0x2600,), "24.11": (0x2A00, 0x2900, 0x2800, 0x2700)}

RUNNING = (
    ("plain", "--wrap 'sleep 300'"),
    ("mem", "-n1 --mem=200 -t 5 --comment hello -o out.%j.%N -e err --wrap 'sleep 300'"),
    ("two", "-N2 -n2 --ntasks-per-node=1 --wrap 'sleep 300' --mem-per-cpu=150"),
    ("excl", "--exclusive -w n4 -D /tmp --wrap 'sleep 300' -t 1:00:00"),
)
WAITING = (
    ("short", "--wrap true"),
    ("whole", "-N4 -c2 --exclusive --wrap true -t 3 --nice=5"),
    ("array", "-a 0-9%2 --wrap true"),
    ("held", "--hold --wrap true"),
    ("begin", "--begin=now+1hour --wrap true"),
    ("dep", "--dependency=afterok:70000 --wrap true"),
    ("feat", "-C fast -x n2 --wrap true -n1"),
    ("opts", "-n3 -N1-2 -c1 --ntasks-per-node=2 --mem=300 --time-min=1 -t 20 --requeue -i /dev/null -o o%A -p long "
     "--deadline=now+5hours --wrap true"),
    ("multi", "-p debug,long --wrap true --hold"),
    ("share", "-s --hold --wrap true -O --contiguous --tmp=5"),
    ("mincpu", "--mincpus=2 --hold --wrap true --switches=1@5:00"),
    ("dist", "--hold -m cyclic:block -B 1:2:1 --ntasks-per-core=1 --wrap true --signal=USR1@60"),
    ("single", "--dependency=singleton --hold --wrap true"),
    ("holes", "-a 1,3,5-7:2 --hold --wrap true"),
    ("noreq", "--no-requeue --hold --wrap true --mail-type=END --mail-user=x@y"),
    ("mem0", "--mem=0 --hold --wrap true"),
    ("script", "--hold /mnt/alice/s.sh a b"),
    ("admin", "--wrap true --hold"),
    ("wide", "-n8 --wrap true --hold"),
    ("wide2", "-n8 -p long,debug --wrap true -t 5"),
    ("range", "-N1-3 -n3 --wrap true --hold"),
    ("twoc", "-n2 -c2 --wrap true --hold"),
)  # fmt: skip
NOWHERE = wire.StepId(job_id=9, step_id=BATCH_STEP, step_het_comp=NO_VAL)


def _step(job_id: int) -> wire.StepId:
    return wire.StepId(job_id=job_id, step_id=NO_VAL, step_het_comp=NO_VAL)


def _state_item(job_id: int) -> wire.JobStateItem:
    return wire.JobStateItem(job_id, NO_VAL, NO_VAL)


ALWAYS = {
    "jobs0": (M.REQUEST_JOB_INFO, wire.JobInfoRequest()),
    "jobs2": (M.REQUEST_JOB_INFO, wire.JobInfoRequest(show_flags=2)),
    "nodes": (M.REQUEST_NODE_INFO, wire.NodeInfoRequest()),
    "nodes_mixed": (M.REQUEST_NODE_INFO, wire.NodeInfoRequest(show_flags=8)),
    "partitions": (M.REQUEST_PARTITION_INFO, wire.PartitionInfoRequest()),
    "steps": (M.REQUEST_JOB_STEP_INFO, wire.StepInfoRequest(step_id=_step(NO_VAL))),
}
ONCE = {
    "single": (M.REQUEST_JOB_INFO_SINGLE, wire.JobIdRequest(job_id=70000, show_flags=2)),
    "single_array": (M.REQUEST_JOB_INFO_SINGLE, wire.JobIdRequest(job_id=70006, show_flags=2)),
    "single_nowhere": (M.REQUEST_JOB_INFO_SINGLE, wire.JobIdRequest(job_id=9, show_flags=2)),
    "user": (M.REQUEST_JOB_USER_INFO, wire.UserJobsRequest(user_id=1001)),
    "user_without": (M.REQUEST_JOB_USER_INFO, wire.UserJobsRequest(user_id=1002)),
    "some_jobs": (M.REQUEST_JOB_INFO, wire.JobInfoRequest(show_flags=2, job_ids=[70000, 9, 70002])),
    "jobs_fresh": (M.REQUEST_JOB_INFO, wire.JobInfoRequest(last_update=1 << 40)),
    "nodes_fresh": (M.REQUEST_NODE_INFO, wire.NodeInfoRequest(last_update=1 << 40)),
    "partitions_fresh": (M.REQUEST_PARTITION_INFO, wire.PartitionInfoRequest(last_update=1 << 40)),
    "build_fresh": (M.REQUEST_BUILD_INFO, wire.LastUpdate(last_update=1 << 40)),
    "node": (M.REQUEST_NODE_INFO_SINGLE, wire.NodeInfoSingleRequest(node_name="n2")),
    "node_nowhere": (M.REQUEST_NODE_INFO_SINGLE, wire.NodeInfoSingleRequest(node_name="zz")),
    "build": (M.REQUEST_BUILD_INFO, wire.LastUpdate()),
    "reservations": (M.REQUEST_RESERVATION_INFO, wire.ReservationInfoRequest()),
    "licenses": (M.REQUEST_LICENSE_INFO, wire.LicenseInfoRequest()),
    "topology": (M.REQUEST_TOPO_INFO, wire.TopologyInfoRequest()),
    "federation": (M.REQUEST_FED_INFO, None),
    "burst_buffers": (M.REQUEST_BURST_BUFFER_INFO, None),
    "burst_buffer_status": (M.REQUEST_BURST_BUFFER_STATUS, wire.BurstBufferStatusRequest()),
    "front_ends": (M.REQUEST_FRONT_END_INFO, wire.FrontEndInfoRequest()),
    "priorities": (M.REQUEST_PRIORITY_FACTORS, wire.PriorityFactorsRequest()),
    "shares": (M.REQUEST_SHARE_INFO, wire.SharesRequest()),
    "associations": (M.REQUEST_ASSOC_MGR_INFO, wire.AssocMgrInfoRequest(flags=7)),
    "stats": (M.REQUEST_STATS_INFO, wire.StatsRequest(command_id=1)),
    "control": (M.REQUEST_CONTROL_STATUS, None),
    "ping": (M.REQUEST_PING, None),
    "ready": (M.REQUEST_JOB_READY, wire.JobIdRequest(job_id=70000)),
    "ready_over": (M.REQUEST_JOB_READY, wire.JobIdRequest(job_id=70004)),
    "ready_held": (M.REQUEST_JOB_READY, wire.JobIdRequest(job_id=70007)),
    "ready_nowhere": (M.REQUEST_JOB_READY, wire.JobIdRequest(job_id=9)),
    "allocation": (M.REQUEST_JOB_ALLOCATION_INFO, wire.AllocationInfoRequest(job_id=70000)),
    "allocation_two": (M.REQUEST_JOB_ALLOCATION_INFO, wire.AllocationInfoRequest(job_id=70002)),
    "allocation_held": (M.REQUEST_JOB_ALLOCATION_INFO, wire.AllocationInfoRequest(job_id=70007)),
    "allocation_over": (M.REQUEST_JOB_ALLOCATION_INFO, wire.AllocationInfoRequest(job_id=70004)),
    "allocation_nowhere": (M.REQUEST_JOB_ALLOCATION_INFO, wire.AllocationInfoRequest(job_id=9)),
    "het_allocation": (M.REQUEST_HET_JOB_ALLOC_INFO, wire.AllocationInfoRequest(job_id=70000)),
    "het_allocation_nowhere": (M.REQUEST_HET_JOB_ALLOC_INFO, wire.AllocationInfoRequest(job_id=9)),
    "end": (M.REQUEST_JOB_END_TIME, wire.AllocationInfoRequest(job_id=70000)),
    "end_held": (M.REQUEST_JOB_END_TIME, wire.AllocationInfoRequest(job_id=70007)),
    "end_nowhere": (M.REQUEST_JOB_END_TIME, wire.AllocationInfoRequest(job_id=9)),
    "script": (M.REQUEST_BATCH_SCRIPT, wire.JobIdRequest(job_id=70000)),
    "script_array": (M.REQUEST_BATCH_SCRIPT, wire.JobIdRequest(job_id=70017)),
    "script_nowhere": (M.REQUEST_BATCH_SCRIPT, wire.JobIdRequest(job_id=9)),
    "triggers": (M.REQUEST_TRIGGER_GET, wire.TriggerMessage()),
    "crontab": (M.REQUEST_CRONTAB, wire.CrontabRequest(uid=0)),
    "layout": (M.REQUEST_STEP_LAYOUT, wire.StepId(job_id=70002, step_id=BATCH_STEP, step_het_comp=NO_VAL)),
    "layout_nowhere": (M.REQUEST_STEP_LAYOUT, NOWHERE),
    "steps_one": (M.REQUEST_JOB_STEP_INFO, wire.StepInfoRequest(step_id=_step(70002))),
    "steps_held": (M.REQUEST_JOB_STEP_INFO, wire.StepInfoRequest(step_id=_step(70007))),
    "steps_nowhere": (M.REQUEST_JOB_STEP_INFO, wire.StepInfoRequest(step_id=_step(9))),
    "steps_no_such": (M.REQUEST_JOB_STEP_INFO,
                      wire.StepInfoRequest(step_id=wire.StepId(job_id=70002, step_id=7, step_het_comp=NO_VAL))),
    "states": (M.REQUEST_JOB_STATE, wire.JobStateRequest()),
    "states_some": (M.REQUEST_JOB_STATE,
                    wire.JobStateRequest(items=[_state_item(70000), _state_item(70017), _state_item(9)])),
    "config": (M.REQUEST_CONFIG, wire.ConfigRequest()),
}  # fmt: skip
AS_BOB = ("script", "allocation", "end", "crontab", "stats")

_ASK = r"""
import json, socket, struct, subprocess, sys
def text(data): return struct.pack('>I', len(data) + 1) + data + b'\0'
def ask(number, version, body):
    credential = subprocess.run(['munge', '-n'], capture_output=True, check=True).stdout.strip()
    header = struct.pack('>HHHIHHH', version, 0, number, len(body), 0, 0, 0)
    frame = header + struct.pack('>I', 101) + text(credential) + body
    with socket.create_connection(('127.0.0.1', 6817), timeout=10) as link:
        link.sendall(struct.pack('>I', len(frame)) + frame)
        data = b''
        while len(data) < 4 or len(data) < 4 + struct.unpack('>I', data[:4])[0]:
            piece = link.recv(1 << 16)
            if not piece: break
            data += piece
    return data.hex()
asked = json.load(sys.stdin)
print(json.dumps({name: ask(number, version, bytes.fromhex(body)) for name, number, version, body in asked}))
"""


def record(release: str) -> dict[str, dict[str, object]]:
    """Play everything at a real controller and return its answers by moment."""
    moments: dict[str, dict[str, object]] = {}
    with RealCluster(release) as cluster:
        alice = "alice"

        def ask(moment: str, queries: dict[str, tuple[M, object]], user: str = "root") -> None:
            asked = []
            for version in VERSIONS[release]:
                for name, (number, request) in queries.items():
                    first, last = MESSAGE_BOUNDS.get(number, (0, 0xFFFF))
                    if first <= version <= last:
                        body = encode_body(number, request, version)  # type: ignore[arg-type]
                        asked.append((f"{version:x}:{name}", int(number), version, body.hex()))
            argv = cluster.sandbox.argv(["python3", "-c", _ASK], user)
            done = subprocess.run(argv, input=json.dumps(asked), capture_output=True, text=True, check=True)
            moments[moment] = {"now": int(time.time()), "frames": json.loads(done.stdout)}

        ask("idle", ALWAYS)
        for name, options in RUNNING:
            cluster.client(f"sbatch -J {name} {options}", alice)
        time.sleep(3)
        ask("running", ALWAYS)
        cluster.sandbox.write("/mnt/alice/s.sh", "#!/bin/sh\n#SBATCH -o s.out\ntrue\n", alice, 0o755)
        for name, options in WAITING:
            cluster.client(f"sbatch -J {name} {options}", alice)
        cluster.client("scontrol hold jobname=admin")
        time.sleep(5)
        ask("pending", ALWAYS | ONCE)
        ask("bob", {name: ONCE[name] for name in AS_BOB}, "bob")
        cluster.client("scancel 70000 70001 70002 70003 -n wide2; sleep 1")
        time.sleep(5)
        for name, options in (
            ("ok", "--wrap true"), ("fail", "--wrap 'exit 3'"), ("sig", "--wrap 'kill -9 $$'"),
            ("long", "-a 1-4%1 --wrap 'sleep 100'"), ("requeue", "--wrap 'sleep 100'"), ("gone", "--wrap 'sleep 100'"),
        ):  # fmt: skip
            cluster.client(f"sbatch -J {name} {options}", alice)
        time.sleep(5)
        cluster.client("scontrol requeue $(squeue -h -n requeue -o %A); scancel -n gone; scancel -n holes")
        cluster.client("scontrol update nodename=n4 state=drain reason='bad disk'")
        cluster.client("scontrol update nodename=n3 state=down reason=broken")
        time.sleep(2)
        ask("mixed", ALWAYS)
    return moments


def main(releases: list[str]) -> None:
    """Record the releases named, or all."""
    DATA.mkdir(parents=True, exist_ok=True)
    for release in releases or list(VERSIONS):
        text = json.dumps(record(release), sort_keys=True).encode()
        Path(DATA / f"{release}.json.gz").write_bytes(gzip.compress(text, mtime=0))


if __name__ == "__main__":
    main(sys.argv[1:])
