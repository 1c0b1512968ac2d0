"""A cluster as bytes and back: what snapshots hold."""

import msgspec
from immutables import Map

from flurm.core.effects import Reply
from flurm.core.records import Cluster, Job, Node, Partition, Settings
from flurm.core.tables import put


class _Image(msgspec.Struct, omit_defaults=True):
    settings: Settings
    jobs: list[Job]
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


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Image)


def dump(cluster: Cluster) -> bytes:
    """The bytes of a cluster. Equal clusters give equal bytes."""
    return _encoder.encode(
        _Image(
            settings=cluster.settings,
            jobs=[cluster.jobs[i] for i in sorted(cluster.jobs)],
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
        )
    )


def load(data: bytes) -> Cluster:
    """The cluster that `dump` made the bytes of. Raises msgspec.DecodeError for anything else."""
    image = _decoder.decode(data)
    jobs_s, nodes_s, partitions_s = image.changed_s
    cluster = Cluster(
        settings=image.settings,
        nodes=Map({node.name: node for node in image.nodes}),
        node_order=tuple(node.name for node in image.nodes),
        partitions=Map({partition.name: partition for partition in image.partitions}),
    )
    for job in image.jobs:
        cluster = put(cluster, job)
    first = image.answers_given - len(image.answers)
    return cluster.with_(
        fingerprint=image.fingerprint,
        next_job_id=image.next_job_id,
        next_priority=image.next_priority,
        version=image.version,
        shape_version=image.shape_version,
        jobs_changed_s=jobs_s,
        nodes_changed_s=nodes_s,
        partitions_changed_s=partitions_s,
        closed=image.closed,
        answers=Map(dict(image.answers)),
        answered=Map({first + i: request_id for i, (request_id, _) in enumerate(image.answers)}),
        answers_given=image.answers_given,
    )
