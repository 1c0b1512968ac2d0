"""Requests that unmodified programs of 22.05, 24.11 and 26.05 sent, and what real controllers sent to nodes; builders.

The recorded cluster: nodes n1 to n4 with 4 CPUs each, partitions debug (default) and long, DefMemPerCPU 50, user alice
(1001, her account proj1). `data/bridge/requests.json.gz` holds release -> step -> [message, server, frame in hex].
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
from typing import Any

from flurm.bridge import configure, requests
from flurm.bridge.queries import Context
from flurm.config.records import Config, NodeConfig, PartitionConfig
from flurm.core.apply import apply
from flurm.core.effects import Submitted
from flurm.core.records import Cluster
from protocol.codec import decode_body
from protocol.frame import decode_frame
from protocol.messages import JobDescription
from tests.bridge.recorded import DATA

RELEASES = ("22.05", "24.11", "26.05")
VERSIONS = {"22.05": 0x2600, "24.11": 0x2A00, "26.05": 0x2D00}
ALICE, BOB, ROOT, SLURM = 1001, 1002, 0, 64030
NOW_S = 1_800_000_000

NODES = tuple(
    NodeConfig(
        name=f"n{index}", cpus=4, sockets=1, cores_per_socket=4, real_memory_mib=4000, tmp_disk_mib=1000,
        features=("f1", "f2"), gres="gpu:a100:2",
    )
    for index in range(1, 5)
)  # fmt: skip
CONFIG = Config(
    cluster_name="cluster1",
    slurm_user=str(SLURM),
    nodes=NODES,
    partitions=(
        PartitionConfig(name="debug", nodes=("n1", "n2", "n3", "n4"), all_nodes=True, default=True),
        PartitionConfig(name="long", nodes=("n3", "n4"), max_time=600),
    ),
    def_mem_per_cpu=50,
    licenses="matlab:10",
)


class Blobs:
    """Scripts and environments in memory."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}

    def put_many(self, contents: list[bytes]) -> list[str]:
        digests = [hashlib.sha256(content).hexdigest() for content in contents]
        self.contents.update(zip(digests, contents, strict=True))
        return digests

    def introduce(self, contents: list[bytes]) -> tuple[list[str], dict[str, bytes]]:
        return self.put_many(contents), {}

    def get(self, digest: str) -> bytes:
        return self.contents[digest]


@functools.cache
def _steps() -> dict[str, dict[str, list[list[str]]]]:
    return json.loads(gzip.decompress((DATA / "requests.json.gz").read_bytes()))


def sent(release: str, step: str, message: str) -> Any:
    """The first message of that name in a recorded step, decoded."""
    return all_sent(release, step, message)[0][1]


def all_sent(release: str, step: str, message: str) -> list[tuple[str, Any]]:
    """Every message of that name in a recorded step: to whom, and the record."""
    found = []
    for name, server, text in _steps()[release][step]:
        if name == message:
            frame = decode_frame(bytes.fromhex(text))
            found.append((server, decode_body(frame.msg_type, frame.body, frame.version)))
    return found


def releases_of(step: str, message: str) -> list[str]:
    """The releases in which the step was recorded with that message."""
    return [release for release in RELEASES if any(row[0] == message for row in _steps()[release].get(step, []))]


def cluster() -> Cluster:
    """The recorded cluster before any job."""
    return apply(Cluster(), configure.command(CONFIG, now_s=NOW_S, keep_changes=False)).cluster


def context(
    uid: int = ALICE,
    *,
    release: str = "22.05",
    state: Cluster | None = None,
    blobs: Blobs | None = None,
    config: Config = CONFIG,
) -> Context:
    """A request of a user to the recorded cluster."""
    blobs = blobs or Blobs()
    return Context(
        cluster=state if state is not None else cluster(), version=VERSIONS[release], uid=uid, gid=uid, now_s=NOW_S,
        config=config, introduce_blobs=blobs.introduce, read_blob=blobs.get, peer=("127.0.0.1", 40000),
    )  # fmt: skip


def description(**fields: Any) -> JobDescription:
    """What sbatch sends when no option is given."""
    plain = {"user_id": ALICE, "group_id": ALICE, "name": "j", "script": "#!/bin/sh\n", "environment": ["A=b"]}
    return JobDescription(**{**plain, "work_dir": "/tmp", "min_cpus": 1, **fields})


def with_job(state: Cluster, **fields: Any) -> tuple[Cluster, int]:
    """The cluster with one more job of alice's waiting, and its id."""
    call = requests.to_call(4003, description(**fields), context(state=state))
    assert isinstance(call, requests.Call), call
    outcome = apply(state, call.command)
    assert isinstance(outcome.reply, Submitted), outcome.reply
    return outcome.cluster, outcome.reply.job_id
