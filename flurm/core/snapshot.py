"""A cluster as bytes and back: what snapshots hold.

A snapshot is a sequence of parts, each behind its length, so that one is made and read piece by piece: whoever encodes
a hundred thousand jobs in one go keeps every other thread of the interpreter, heartbeats among them, waiting for it.

    magic            8 bytes
    part, ...        length (4 bytes, big endian), msgpack of a frame (everything but jobs), then of lists of jobs
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import chain

import msgspec
from immutables import Map

from flurm.core import machine
from flurm.core.effects import Reply
from flurm.core.job_records import Job, ProgramRun
from flurm.core.node_records import Node, Partition
from flurm.core.records import Cluster, JoinToken, Settings
from flurm.core.tables import put_all
from flurm.core.trigger_records import Trigger, TriggerEvents

MAGIC = b"FLURM-2\n"
JOBS_IN_A_PART = 500
_LENGTH = struct.Struct(">I")


class _Frame(msgspec.Struct, omit_defaults=True):
    settings: Settings
    nodes: list[Node]
    partitions: list[Partition]
    fingerprint: str
    next_job_id: int
    next_priority: int
    version: int
    shape_version: int
    changed_s: tuple[int, int, int]
    closed: str | None = None
    answers: list[tuple[str, Reply]] = []
    """Oldest first."""
    answers_given: int = 0
    configured_s: int = 0
    machine_version: int = 1
    join_tokens: list[JoinToken] = []
    programs: list[ProgramRun] = []
    next_program: int = 1
    triggers: list[Trigger] = []
    next_trigger: int = 1
    trigger_events: tuple[int, list[tuple[str, int]], int] | None = None
    jobs: list[Job] = []
    """Only in snapshots of the first format, which was one frame and nothing else."""


class _Version(msgspec.Struct):
    """What is read first: a frame of a version that this release does not know may hold anything else."""

    machine_version: int = 1


_encoder = msgspec.msgpack.Encoder()
_versions = msgspec.msgpack.Decoder(_Version)
_frames = msgspec.msgpack.Decoder(_Frame)
_jobs = msgspec.msgpack.Decoder(list[Job])


def dump(cluster: Cluster) -> bytes:
    """The bytes of a cluster. Equal clusters give equal bytes."""
    return b"".join(parts(cluster))


def parts(cluster: Cluster) -> Iterator[bytes]:
    """The same in pieces, none of which takes long to make."""
    yield MAGIC
    yield _part(
        _Frame(
            settings=cluster.settings,
            nodes=[cluster.nodes[name] for name in cluster.node_order],
            partitions=[cluster.partitions[name] for name in sorted(cluster.partitions)],
            fingerprint=cluster.fingerprint,
            next_job_id=cluster.next_job_id,
            next_priority=cluster.next_priority,
            version=cluster.version,
            shape_version=cluster.shape_version,
            changed_s=(cluster.jobs_changed_s, cluster.nodes_changed_s, cluster.partitions_changed_s),
            closed=cluster.closed,
            answers=[(cluster.answered[i], cluster.answers[cluster.answered[i]]) for i in sorted(cluster.answered)],
            answers_given=cluster.answers_given,
            configured_s=cluster.configured_s,
            machine_version=cluster.machine_version,
            join_tokens=[cluster.join_tokens[each] for each in sorted(cluster.join_tokens)],
            programs=[cluster.programs[number] for number in sorted(cluster.programs)],
            next_program=cluster.next_program,
            triggers=[cluster.triggers[number] for number in sorted(cluster.triggers)],
            next_trigger=cluster.next_trigger,
            trigger_events=_flat(cluster.trigger_events),
        )
    )
    ids = sorted(cluster.jobs)
    for first in range(0, len(ids), JOBS_IN_A_PART):
        yield _part([cluster.jobs[job_id] for job_id in ids[first : first + JOBS_IN_A_PART]])


def _flat(events: TriggerEvents | None) -> tuple[int, list[tuple[str, int]], int] | None:
    return None if events is None else (events.since_s, sorted(events.nodes.items()), events.other)


def _events(flat: tuple[int, list[tuple[str, int]], int] | None) -> TriggerEvents | None:
    return None if flat is None else TriggerEvents(flat[0], Map(dict(flat[1])), flat[2])


def _part(value: object) -> bytes:
    data = _encoder.encode(value)
    return _LENGTH.pack(len(data)) + data


def load(data: bytes) -> Cluster:
    """The cluster that `dump` made the bytes of.

    Raises machine.Unsupported where this release does not know its machine version, msgspec.DecodeError for anything
    else.
    """
    if not data.startswith(MAGIC):
        frame = _frames.decode(data)
        return _with_jobs(_of(frame), iter([frame.jobs]), frame)
    found = _split(data)
    first = next(found)
    machine.check(_versions.decode(first).machine_version)
    frame = _frames.decode(first)
    return _with_jobs(_of(frame), map(_jobs.decode, found), frame)


def _split(data: bytes) -> Iterator[memoryview]:
    view, offset = memoryview(data), len(MAGIC)
    while offset < len(view):
        if offset + _LENGTH.size > len(view):
            raise msgspec.DecodeError(f"a part's length was expected at {offset}, found {len(view) - offset} bytes")
        (length,) = _LENGTH.unpack_from(view, offset)
        offset += _LENGTH.size
        if offset + length > len(view):
            raise msgspec.DecodeError(f"{length} bytes were expected at {offset}, found {len(view) - offset}")
        yield view[offset : offset + length]
        offset += length


def _of(frame: _Frame) -> Cluster:
    return Cluster(
        settings=frame.settings,
        nodes=Map({node.name: node for node in frame.nodes}),
        node_order=tuple(node.name for node in frame.nodes),
        partitions=Map({partition.name: partition for partition in frame.partitions}),
    )


def _with_jobs(cluster: Cluster, jobs: Iterator[list[Job]], frame: _Frame) -> Cluster:
    cluster = put_all(cluster, chain.from_iterable(jobs))
    jobs_s, nodes_s, partitions_s = frame.changed_s
    first = frame.answers_given - len(frame.answers)
    return cluster.with_(
        fingerprint=frame.fingerprint,
        configured_s=frame.configured_s,
        next_job_id=frame.next_job_id,
        next_priority=frame.next_priority,
        version=frame.version,
        shape_version=frame.shape_version,
        jobs_changed_s=jobs_s,
        nodes_changed_s=nodes_s,
        partitions_changed_s=partitions_s,
        closed=frame.closed,
        answers=Map(dict(frame.answers)),
        answered=Map({first + number: request_id for number, (request_id, _) in enumerate(frame.answers)}),
        answers_given=frame.answers_given,
        machine_version=frame.machine_version,
        join_tokens=Map({each.id: each for each in frame.join_tokens}),
        programs=Map({run.id: run for run in frame.programs}),
        next_program=frame.next_program,
        triggers=Map({trigger.id: trigger for trigger in frame.triggers}),
        next_trigger=frame.next_trigger,
        trigger_events=_events(frame.trigger_events),
        rebooting=Map({node.name: 1 for node in frame.nodes if node.reboot is not None}),
    )
