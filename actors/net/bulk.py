"""Snapshots on their way to members that are too far behind for the log: read piece by piece beside everything else."""

from __future__ import annotations

from typing import Any

import structlog

from flurm.raft.effects import SendChunk
from flurm.raft.messages import InstallSnapshot
from flurm.raft.records import Configuration
from flurm.storage.errors import StorageError
from flurm.storage.layout import Store

PIECE_BYTES = 512 * 1024

log = structlog.get_logger(__name__)


def send_chunk(effect: SendChunk, member: str, store: Store, peers: Any) -> None:
    """Read the piece that `effect` asks for and send it; one that cannot be read is asked for again later."""
    try:
        piece = store.read_chunk(effect.index, effect.offset, PIECE_BYTES)
    except StorageError as error:
        log.error("snapshot not sent", to=effect.to, reason=str(error))
        return
    peers.send(
        effect.to,
        InstallSnapshot(
            sender=member,
            term=effect.term,
            index=piece.snapshot.index,
            index_term=piece.snapshot.term,
            configuration=piece.snapshot.configuration or Configuration(),
            offset=piece.offset,
            data=piece.data,
            done=piece.done,
            round=effect.round,
        ),
    )
