"""What the wire costs per message of the hot paths: CPU time in this process, no sockets. Run: python -m bench --wire

Messages are recorded ones of real programs, the largest of each type; a listing's cost is given per record. Beside them
the answer of 10,000 job records, three ways:

cold     from finished records, each packed once, with nothing looked up before. They are the recorded ones again and
         again, as a queue has them: of a hundred users, on five hundred nodes, each with a number, a name, times and a
         priority of its own. The C library has no packer for them; `bench.clib` says what it does instead.
kept     what the controller does for a listing that it has given before: request in, frame out.
first    the same for a cluster whose jobs were never listed: records are made from the core's jobs, and packed.

To 22.05 a reply is signed, so that kept and first include a hash over the whole body there.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from immutables import Map

from actors.net.serving import Exchange, Service
from bench import clib, sched_pass
from bench.load import BenchError
from bench.report import OURS, Budget, Row, at_most, rows_table
from flurm.bridge.kept import KeptForms
from flurm.bridge.sackds import Sackds
from flurm.bridge.show_stats import Counters
from flurm.config.records import Config
from flurm.core.records import Cluster
from protocol import versions
from protocol.auth import Authority, Identity, Signer
from protocol.codec import decode_body, encode_body
from protocol.constants import NO_VAL, MessageType
from protocol.forms import forget
from protocol.frame import Frame, decode_frame
from protocol.messages import JobInfo, JobInfoRequest, JobInfoResponse
from protocol.versions import Version
from tests.protocol.wire_data import KEY, recorded_frames

REAL = "libslurmfull"
VERSIONS = (Version.V22_05, Version.V26_05)
JOBS = 10_000
WITHIN_4 = Budget("< 4x", lambda ours, real: real is not None and ours < 4 * real)

_HOT = {
    "submit request": MessageType.REQUEST_SUBMIT_BATCH_JOB,
    "job record": MessageType.RESPONSE_JOB_INFO,
    "node record": MessageType.RESPONSE_NODE_INFO,
    "registration": MessageType.MESSAGE_NODE_REGISTRATION_STATUS,
}
_BUDGETS = {"submit request, decode": at_most(60, "us")}


def measure(progress: Callable[[str], None], *, repeats: int = 15, jobs: int = JOBS) -> list[Row]:
    """All rows. What the C library would need and this machine lacks is left out of them."""
    rows: list[Row] = []
    for version in VERSIONS:
        progress(f"messages of {versions.name(version)}")
        rows += _messages(version, repeats)
    for version in VERSIONS:
        progress(f"{jobs:,} job records in {versions.name(version)}")
        rows += _listings(version, jobs, max(3, repeats // 3), progress)
    return rows


def table(rows: list[Row]) -> str:
    """The rows as text for people."""
    notes = (
        "CPU time, the median of several runs; libslurmfull: its own functions packing the same values field by field,",
        "without the looking up that slurmctld does (it has no function that packs a job's record)",
    )
    return "\n".join((*notes, "", *rows_table(rows, REAL, OURS)))


def _messages(version: Version, repeats: int) -> Iterator[Row]:
    frames = [decode_frame(data) for data in recorded_frames(versions.name(version))]
    for what, msg_type in _HOT.items():
        frame = max((f for f in frames if f.msg_type == msg_type), key=lambda f: len(f.body))
        record = decode_body(msg_type, frame.body, version)
        count = getattr(record, "record_count", 1)
        works: dict[str, Callable[[], object]] = {
            "decode": lambda frame=frame: decode_body(frame.msg_type, frame.body, version),
            "encode": lambda frame=frame, record=record: encode_body(frame.msg_type, record, version),
        }
        for direction, work in works.items():
            name = f"{what}, {direction}"
            took_us = cpu_ms(work, repeats, times=max(1, 200 // count)) * 1000 / count
            yield Row(f"{versions.name(version)} {name}", "us", None, took_us, _BUDGETS.get(name))


def _listings(version: Version, jobs: int, repeats: int, progress: Callable[[str], None]) -> Iterator[Row]:
    name = versions.name(version)
    records = recorded_jobs(version, jobs)
    packed = encode_body(MessageType.RESPONSE_JOB_INFO, JobInfoResponse(record_count=jobs, jobs=records), version)
    cold_ms = statistics.median(_cold_ms(packed, version) for _ in range(repeats))
    c_ms: float | None = None
    if clib.is_here():
        try:
            with tempfile.TemporaryDirectory() as directory:
                c_ms = statistics.median(clib.pack_ms(records, version, packed[_HEAD:], repeats, Path(directory)))
        except BenchError as error:
            progress(str(error))
    yield Row(f"{name} {jobs:,} job records, cold", "ms", c_ms, cold_ms, WITHIN_4)
    cluster = sched_pass.cluster(busy=False)
    cluster = cluster.with_(jobs=Map(islice(cluster.jobs.items(), jobs)))
    firsts = [Controller(cluster, version) for _ in range(repeats)]
    first_ms = statistics.median(cpu_ms(controller.list_jobs, 1) for controller in firsts)
    yield Row(f"{name} {len(cluster.jobs):,} job records, kept", "ms", None, cpu_ms(firsts[0].list_jobs, repeats), KEPT)
    yield Row(f"{name} {len(cluster.jobs):,} job records, first", "ms", None, first_ms)


def _cold_ms(packed: bytes, version: int) -> float:
    """Packing of records that nobody packed before. They are read anew, so that not even a text's hash is known."""
    response = decode_body(MessageType.RESPONSE_JOB_INFO, packed, version)
    forget()
    return cpu_ms(lambda: encode_body(MessageType.RESPONSE_JOB_INFO, response, version), 1)


_HEAD = 4 + 8 + 8
"""Bytes before the first record of a RESPONSE_JOB_INFO."""

KEPT = at_most(10, "ms")


def recorded_jobs(version: Version, count: int) -> list[JobInfo]:
    """Job records as a real controller sent them, repeated, and made different where those of a queue differ."""
    frames = [decode_frame(data) for data in recorded_frames(versions.name(version))]
    listing = max((f for f in frames if f.msg_type == MessageType.RESPONSE_JOB_INFO), key=lambda f: len(f.body))
    seen = decode_body(listing.msg_type, listing.body, version)
    assert isinstance(seen, JobInfoResponse)
    return [_as_another(seen.jobs[index % len(seen.jobs)], index) for index in range(count)]


_OF_THEIR_OWN = (
    *("submit_time", "eligible_time", "accrue_time", "start_time", "end_time", "last_sched_eval"),
    *("priority", "alloc_sid"),
)
_USERS, _NODES = 100, 500


def _as_another(job: JobInfo, index: int) -> JobInfo:
    """The same job, submitted as number `index` + 1 by one of the users, and run on another node."""
    user, node = f"user{index % _USERS}", f"r{index % _NODES}n"
    changed: dict[str, Any] = {
        name: text.replace(f"/home/{job.mail_user}", f"/home/{user}")
        for name in ("work_dir", "command", "std_out", "std_err", "submit_line")
        if (text := getattr(job, name))
    }
    changed |= {name: at + index for name in _OF_THEIR_OWN if 0 < (at := getattr(job, name)) < NO_VAL - JOBS}
    changed |= {name: text.replace("n", node, 1) for name in ("nodes", "batch_host") if (text := getattr(job, name))}
    changed |= {name: user for name in ("user_name", "mail_user") if getattr(job, name) is not None}
    changed |= dict.fromkeys(("user_id", "group_id", "assoc_id"), 1000 + index % _USERS)
    step_id = msgspec.structs.replace(job.step_id, job_id=index + 1, sluid=job.step_id.sluid and index + 1)
    return msgspec.structs.replace(job, job_id=index + 1, name=f"job-{index + 1}", step_id=step_id, **changed)


class Controller:
    """As much of a controller as a listing of jobs goes through between the socket's two directions."""

    def __init__(self, cluster: Cluster, version: Version) -> None:
        env: dict[str, Any] = {
            "authority": Authority(Signer(KEY, 0, 0)),
            "store": _NoStore(),
            "config": Config(),
            "counters": Counters(),
            "sackds": Sackds(),
            "started_s": 0,
        }
        self._service = Service(env, {"cluster": cluster, "kept": KeptForms()})
        frame = Frame(MessageType.REQUEST_JOB_INFO, version)
        self._exchange = Exchange(frame, Identity(0, 0), JobInfoRequest(), ("127.0.0.1", 0))

    def list_jobs(self) -> None:
        """One REQUEST_JOB_INFO for everything, up to the frame that would be sent."""
        reply = self._service.answer(self._exchange, None)  # type: ignore[arg-type]
        assert reply is not None and len(reply[1]) > _HEAD


class _NoStore:
    class blobs:
        get = introduce = None


def cpu_ms(work: Callable[[], object], repeats: int, times: int = 1) -> float:
    """CPU milliseconds of one call of `work`: the median of `repeats` measurements of `times` calls in a row."""
    took_s = []
    for _ in range(repeats):
        begun_s = time.process_time()
        for _ in range(times):
            work()
        took_s.append((time.process_time() - begun_s) / times)
    return statistics.median(took_s) * 1e3
