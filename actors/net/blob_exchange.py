"""Scripts and environments that a controller lacks: it got the state in a snapshot, and the blobs are not in there.

They come with the log otherwise (`SubmitJob.blobs`). Whoever has taken a snapshot over asks the leader, then the
others, for what the jobs in it need; until that has come, launches of such jobs fail and are tried again.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import msgspec
import structlog

from actors.leadership import leader_of
from actors.net.peers import Answer, PeerError, Peers
from flurm.storage.blobs import BlobStore
from flurm.storage.copying import BlobCopy, BlobPiece, Wanted, serve
from flurm.storage.errors import StorageError
from flurm.storage.state import blobs_of

CALL = "blobs"
"""The kind of these calls on the peers' wire."""
TRY_S = 10.0
PATIENCE_S = 300.0
AGAIN_S = 0.5

_encoder = msgspec.msgpack.Encoder()
_wanted = msgspec.msgpack.Decoder(list[Wanted])
_pieces = msgspec.msgpack.Decoder(list[BlobPiece])

log = structlog.get_logger(__name__)


class BlobExchange:
    """Asks for blobs, and gives them; for many threads."""

    def __init__(self, member: str, peers: Peers, blobs: BlobStore, terms: dict[str, Any], clock: Any = time) -> None:
        self._member = member
        self._clock = clock
        self._peers = peers
        self._blobs = blobs
        self._terms = terms

    def bring(self) -> None:
        """Get what the jobs of the published cluster need and is not here; takes as long as it takes.

        Raises StorageError where it cannot be made durable.
        """
        copy = BlobCopy(self._blobs, blobs_of(self._terms["cluster"]))
        missing = len(copy.wanted(1 << 30))
        deadline_s = self._clock.monotonic() + PATIENCE_S
        while (wanted := copy.wanted()) and self._clock.monotonic() < deadline_s:
            if not any(self._ask(whom, wanted, copy) for whom in self._whom()):
                self._clock.sleep(AGAIN_S)
        left = len(copy.wanted(1 << 30)) + len(copy.unavailable)
        if left:
            log.error("scripts or environments of jobs are missing", missing=left)
        elif missing:
            self._blobs.sync()
            log.info("scripts and environments brought", count=missing)

    def _whom(self) -> list[str]:
        leader = leader_of(self._terms)
        others = sorted(self._terms["members"].members - {self._member})
        return sorted(others, key=lambda name: name != leader)

    def _ask(self, whom: str, wanted: list[Wanted], copy: BlobCopy) -> bool:
        try:
            copy.take(_pieces.decode(self._peers.call(whom, CALL, _encoder.encode(wanted), TRY_S)))
        except (PeerError, msgspec.DecodeError, StorageError) as error:
            log.debug("no blobs", controller=whom, reason=str(error))
            return False
        return True

    def give(self, payload: bytes, answer: Answer) -> None:
        """Another controller asks; answered from a thread that may wait for the disk."""
        threading.Thread(target=self.give_now, args=(payload, answer), daemon=True).start()

    def give_now(self, payload: bytes, answer: Answer) -> None:
        """As ``give``, in this thread."""
        try:
            answer(_encoder.encode(serve(self._blobs, _wanted.decode(payload))))
        except (StorageError, msgspec.DecodeError) as error:
            answer.fail(str(error))
