"""The blob store: job scripts and environments by the SHA-256 of their content.

Equal content is stored once, and content that is known to be durable costs a hash and a look into a dictionary. Small
blobs go into pack files, where one sync serves all callers that wait; large ones get a file each, in 256 directories,
with one sync per directory touched.

``put`` makes content durable before it returns. ``keep`` is for content that the log holds as well: it can be read at
once, and is durable only after ``sync``, which therefore comes before that log goes. Until then a large one has a
temporary name, so that a file under its own name is always whole, and what found no room waits in memory.

Nothing counts references: whoever holds the state calls ``collect`` with the digests it needs, now and then. What was
put or put again within the grace time is kept whatever that set says, because the command that needs it may still be on
its way into the log.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from pathlib import Path

import structlog

from flurm.storage.errors import CorruptBlob, StorageError, from_os_error
from flurm.storage.files import (
    TEMPORARY,
    Device,
    make_directory,
    remove_leftovers,
    sync_directory,
    write_atomically,
    write_private,
)
from flurm.storage.packs import PackFiles

PACK_BELOW = 128 * 1024
GRACE_S = 3600.0
log = structlog.get_logger(__name__)

_ADVICE = "Restore it from a backup or submit the job that needs it again."


class BlobMissing(StorageError):
    """There is no blob of that digest."""

    def __init__(self, digest: str) -> None:
        super().__init__(f"there is no blob {digest}: it was never stored here, or was collected")
        self.digest = digest


class BlobStore:
    """The blobs in ``directory``; every method may be called from any thread. Raises StorageError.

    Opened ``read_only`` it is only for reading, and opening it changes nothing, also beside whoever writes it.
    """

    def __init__(
        self,
        directory: Path,
        pack_below: int = PACK_BELOW,
        grace_s: float = GRACE_S,
        clock: Callable[[], float] = time.monotonic,
        device: Device | None = None,
        read_only: bool = False,
    ) -> None:
        self.directory = directory if read_only else make_directory(directory)
        self.packs = PackFiles(directory / "packs", device=device, read_only=read_only)
        self._pack_below = pack_below
        self._grace_s = grace_s
        self._clock = clock
        self._durable: set[str] = set()
        self._kept_files: dict[str, Path] = {}
        self._held: dict[str, bytes] = {}
        self._syncing = threading.Lock()
        self._touched: dict[str, float] = {}
        self._lock = threading.Lock()
        for fan_out in self._fan_outs() if not read_only else ():
            remove_leftovers(fan_out)

    def put(self, content: bytes) -> str:
        """Make ``content`` durable and return its digest."""
        return self.put_many([content])[0]

    def put_many(self, contents: Iterable[bytes]) -> list[str]:
        """Make all of ``contents`` durable, with as few syncs as will do, and return their digests in order."""
        contents = list(contents)
        digests = [hashlib.sha256(content).hexdigest() for content in contents]
        new = {}
        for digest, content in zip(digests, contents, strict=True):
            if not self._touch(digest):
                new[digest] = content
        small = {digest: content for digest, content in new.items() if len(content) < self._pack_below}
        self._put_files({digest: content for digest, content in new.items() if digest not in small})
        if small:
            self.packs.put(small)
        with self._lock:
            self._durable.update(new.keys() - small.keys())
        return digests

    def introduce(self, contents: Iterable[bytes]) -> tuple[list[str], dict[str, bytes]]:
        """The digests of ``contents`` in order, and those that are not here yet by digest, for whoever will ``keep``
        them. Begins the grace time of those that are here."""
        digests, new = [], {}
        for content in contents:
            digest = hashlib.sha256(content).hexdigest()
            digests.append(digest)
            if not self._touch(digest) and digest not in self:
                new[digest] = content
        return digests, new

    def keep(self, contents: Mapping[str, bytes]) -> None:
        """Store ``contents`` (SHA-256 in hexadecimal to content, taken on trust): readable now, durable after ``sync``.

        Raises nothing where the disk refuses: it is ``sync`` that fails then.
        """
        new = {digest: content for digest, content in contents.items() if not self._is_kept(digest, content)}
        if new:
            try:
                self._keep(new)
            except StorageError as error:
                log.warning("blobs held in memory", count=len(new), reason=str(error))
                self._held.update(new)

    def sync(self) -> None:
        """Make everything durable that was kept so far. Raises StorageError; all of it can still be read then."""
        with self._syncing:
            held = dict(self._held)
            if held:
                self._keep(held)
                for digest in held:
                    self._held.pop(digest, None)
            self.packs.sync()
            for digest in list(self._kept_files):
                self._move_into_place(digest)

    def missing(self, digests: Iterable[str]) -> set[str]:
        """Those of ``digests`` that are not here."""
        return {digest for digest in digests if digest not in self}

    def get(self, digest: str) -> bytes:
        """The content of ``digest``. Raises BlobMissing, CorruptBlob, StorageError."""
        held = self._held.get(digest)
        if held is not None:
            return held
        try:
            return self.packs.get(digest)
        except KeyError:
            pass
        path = self._kept_files.get(digest) or self._path(digest)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            if path != self._path(digest):
                return self.get(digest)
            raise BlobMissing(digest) from None
        except OSError as error:
            raise from_os_error("reading", path, error) from error
        if hashlib.sha256(content).hexdigest() != digest:
            raise CorruptBlob(path, 0, f"expected content with SHA-256 {digest}, found other", _ADVICE)
        return content

    def __contains__(self, digest: str) -> bool:
        here = digest in self.packs or digest in self._kept_files or digest in self._held
        return here or self._path(digest).exists()

    def digests(self) -> set[str]:
        """The digests of all blobs."""
        return self.packs.digests() | set(self._file_digests()) | set(self._kept_files) | set(self._held)

    def delete(self, digest: str) -> None:
        """Remove ``digest`` now, where it exists; the space of a small one comes back with ``collect``."""
        with self._lock:
            self._remove(digest)

    def garbage(self, keep: Set[str]) -> set[str]:
        """The digests that neither ``keep`` nor the grace time protects."""
        return {digest for digest in self.digests() - keep if not self._is_recent(digest)}

    def collect(self, keep: Set[str]) -> set[str]:
        """Remove the garbage, compact the packs, and return the digests that went."""
        collected = set()
        for digest in self.garbage(keep):
            with self._lock:
                if not self._is_recent(digest):
                    self._remove(digest)
                    collected.add(digest)
        with self._lock:
            self._touched = {digest: at for digest, at in self._touched.items() if self._is_recent(digest)}
        self.packs.compact()
        return collected

    def close(self) -> None:
        """Let go of the files."""
        self.packs.close()

    def _touch(self, digest: str) -> bool:
        """Begin the grace time of ``digest`` anew; returns whether it is known to be durable."""
        with self._lock:
            self._touched[digest] = self._clock()
            return digest in self._durable or self.packs.is_durable(digest)

    def _is_kept(self, digest: str, content: bytes) -> bool:
        """Begin the grace time of ``digest`` anew; returns whether it is stored, durably or not yet."""
        if self._touch(digest) or self.packs.is_sound(digest) or digest in self._kept_files or digest in self._held:
            return True
        return len(content) >= self._pack_below and self._path(digest).exists()

    def _keep(self, contents: Mapping[str, bytes]) -> None:
        small = {digest: content for digest, content in contents.items() if len(content) < self._pack_below}
        if small:
            self.packs.keep(small)
        for digest in contents.keys() - small.keys():
            make_directory(self._path(digest).parent)
            path = self._path(digest).with_suffix(f".kept{TEMPORARY}")
            try:
                write_private(path, contents[digest])
            except OSError as error:
                path.unlink(missing_ok=True)
                raise from_os_error("writing", path, error) from error
            self._kept_files[digest] = path

    def _move_into_place(self, digest: str) -> None:
        """Make the kept file of ``digest`` a durable one. A copy: what a failed sync leaves behind nobody knows."""
        try:
            self._put_files({digest: self.get(digest)})
        except BlobMissing:
            return
        with self._lock:
            self._durable.add(digest)
            self._drop_kept_file(digest)

    def _drop_kept_file(self, digest: str) -> None:
        path = self._kept_files.pop(digest, None)
        if path is not None:
            path.unlink(missing_ok=True)

    def _is_recent(self, digest: str) -> bool:
        touched = self._touched.get(digest)
        return touched is not None and touched > self._clock() - self._grace_s

    def _remove(self, digest: str) -> None:
        self._durable.discard(digest)
        self._touched.pop(digest, None)
        self._held.pop(digest, None)
        self.packs.forget([digest])
        try:
            self._drop_kept_file(digest)
            self._path(digest).unlink(missing_ok=True)
        except OSError as error:
            raise from_os_error("removing", self._path(digest), error) from error

    def _put_files(self, blobs: dict[str, bytes]) -> None:
        """Write each of ``blobs`` unless its file exists; a file that exists may not have a durable name yet."""
        fan_outs = set()
        for digest, content in blobs.items():
            path = self._path(digest)
            if not path.parent.exists():
                make_directory(path.parent)
            if not path.exists():
                write_atomically(path, [content], sync_name=False)
            fan_outs.add(path.parent)
        for fan_out in fan_outs:
            try:
                sync_directory(fan_out)
            except OSError as error:
                raise from_os_error("syncing", fan_out, error) from error

    def _path(self, digest: str) -> Path:
        return self.directory / digest[:2] / digest[2:]

    def _fan_outs(self) -> Iterator[Path]:
        return self.directory.glob("[0-9a-f][0-9a-f]")

    def _file_digests(self) -> Iterator[str]:
        for fan_out in self._fan_outs():
            for path in fan_out.iterdir():
                if len(path.name) == 62:
                    yield fan_out.name + path.name
