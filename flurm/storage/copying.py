"""Blobs on their way from one member to another: many small ones in one answer, a large one in several.

Who needs blobs makes a ``BlobCopy`` of their digests and asks a member for what ``wanted`` says; that member answers
with ``serve``, and the answer goes to ``take``. That repeats until nothing is wanted any more. What has come is kept
(``BlobStore.keep``): call ``sync`` before anything relies on it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import msgspec

from flurm.storage.blobs import BlobMissing, BlobStore
from flurm.storage.errors import CorruptBlob

ANSWER_BYTES = 1024 * 1024
ASK_AT_ONCE = 1000


class Wanted(msgspec.Struct, frozen=True):
    """A blob that somebody needs from byte ``offset`` on."""

    digest: str
    offset: int = 0


class BlobPiece(msgspec.Struct, frozen=True):
    """Bytes of a blob from ``offset``, of ``total`` in all; ``total`` is -1 where the sender does not have it."""

    digest: str
    offset: int
    data: bytes
    total: int


def serve(blobs: BlobStore, wanted: Iterable[Wanted], most_bytes: int = ANSWER_BYTES) -> list[BlobPiece]:
    """The next pieces of what is ``wanted``, in that order, ``most_bytes`` of content in all. Raises StorageError.

    A blob that is damaged here is answered as one that is not here.
    """
    pieces: list[BlobPiece] = []
    for each in wanted:
        if most_bytes <= 0:
            break
        try:
            content = blobs.get(each.digest)
        except (BlobMissing, CorruptBlob):
            pieces.append(BlobPiece(each.digest, 0, b"", -1))
            continue
        data = content[each.offset : each.offset + most_bytes]
        pieces.append(BlobPiece(each.digest, each.offset, data, len(content)))
        most_bytes -= len(data)
    return pieces


class BlobCopy:
    """Brings those of ``digests`` that ``blobs`` lacks. ``unavailable`` are those that the other side does not have."""

    def __init__(self, blobs: BlobStore, digests: Iterable[str]) -> None:
        self.unavailable: set[str] = set()
        self._blobs = blobs
        self._missing = dict.fromkeys(sorted(blobs.missing(digests)))
        self._begun: dict[str, bytearray] = {}

    def wanted(self, most: int = ASK_AT_ONCE) -> list[Wanted]:
        """What to ask for next, what has begun to come first; empty once all has come or is unavailable."""
        begun = [Wanted(digest, len(data)) for digest, data in self._begun.items()]
        rest = (Wanted(digest) for digest in self._missing if digest not in self._begun)
        return begun[:most] + [each for each, _ in zip(rest, range(most - len(begun)), strict=False)]

    def take(self, pieces: Sequence[BlobPiece]) -> None:
        """Take an answer. What was not asked for, came before, or does not fit is passed over.

        A blob whose content does not have its digest is thrown away and wanted again.
        """
        whole: dict[str, bytes] = {}
        for piece in pieces:
            if piece.digest not in self._missing:
                continue
            if piece.total < 0:
                self._forget(piece.digest)
                self.unavailable.add(piece.digest)
                continue
            so_far = self._begun.setdefault(piece.digest, bytearray())
            if piece.offset == len(so_far):
                so_far += piece.data
            if len(so_far) >= piece.total:
                content = bytes(self._begun.pop(piece.digest))
                if hashlib.sha256(content).hexdigest() == piece.digest:
                    self._forget(piece.digest)
                    whole[piece.digest] = content
        self._blobs.keep(whole)

    def _forget(self, digest: str) -> None:
        self._missing.pop(digest, None)
        self._begun.pop(digest, None)
