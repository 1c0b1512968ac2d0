"""Backups: one state of a cluster with everything it refers to, in one file.

A backup is a ``.tar.gz`` of ``manifest.json``, ``snapshot`` and ``blobs/<SHA-256>``, in that order. The manifest says
what it is of and has the SHA-256 of every file. It holds no hard state and no membership: votes and addresses belong to
the members of the old cluster, and what is restored begins as a cluster of one, to which members are added.

Creating one disturbs nobody: the state is immutable, and blobs never change. Restoring reads all of the backup into a
directory beside the state first and finds every checksum right before anything there is touched. The parts are then
renamed into place; between the first and the last of them a marker has everybody refuse to open the directory.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import tarfile
import time
import zlib
from collections.abc import Callable, Generator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from flurm import __version__
from flurm.core import snapshot
from flurm.raft.records import Configuration, HardState
from flurm.storage.blobs import BlobMissing, BlobStore
from flurm.storage.errors import CorruptBlob, CorruptFile, StorageError, from_os_error
from flurm.storage.files import make_directory, replacing
from flurm.storage.hard_state import HardStateFile
from flurm.storage.layout import Store
from flurm.storage.lock import StateDirLock
from flurm.storage.placing import check_empty, staged
from flurm.storage.snapshots import SnapshotStore
from flurm.storage.state import State, blobs_of, read_back

FORMAT = 1
_MANIFEST, _SNAPSHOT, _BLOBS = "manifest.json", "snapshot", "blobs/"
_STAGING = "restoring.tmp"
_MEMBER_MAX = 4 * 1024**3
_BATCH_BYTES = 8 * 1024 * 1024
_ATTEMPTS = 3
_ADVICE = "Take another backup; nothing was restored from this one."


class Manifest(msgspec.Struct, frozen=True):
    """What a backup is of: the state after entry (index, term) of a cluster, and the SHA-256 of each of its files."""

    cluster: str
    version: str
    created: str
    index: int
    term: int
    jobs: int
    nodes: int
    blobs: int
    missing: tuple[str, ...] = ()
    """Blobs that the state refers to, but that could not be read when the backup was taken."""
    files: dict[str, str] = {}
    format: int = FORMAT

    def summary(self) -> dict[str, object]:
        """All of it but the single files, for people and programs."""
        shown = msgspec.to_builtins(self)
        return {name: value for name, value in shown.items() if name != "files"}


class DamagedBackup(CorruptFile):
    """A backup is not what was written."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(path, 0, problem, _ADVICE)


def create(store: Store, file: Path, cluster_name: str, newest: Callable[[], State]) -> Manifest:
    """Back up the state that ``newest`` gives, with its blobs from ``store``, to ``file``. Raises StorageError.

    The file appears whole or not at all, readable by its owner only. For a running controller, ``newest`` gives the
    published state; where a job's blobs go while it is being looked at, it is asked again.
    """
    for _ in range(_ATTEMPTS):
        state = newest()
        digests = blobs_of(state.cluster)
        if not store.blobs.missing(digests):
            break
    contents = snapshot.dump(state.cluster)
    hashes, missing = {_SNAPSHOT: hashlib.sha256(contents).hexdigest()}, []
    for digest in sorted(digests):
        try:
            store.blobs.get(digest)
            hashes[_BLOBS + digest] = digest
        except (BlobMissing, CorruptBlob):
            missing.append(digest)
    manifest = Manifest(
        cluster=cluster_name,
        version=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        index=state.index,
        term=state.term,
        jobs=len(state.cluster.jobs),
        nodes=len(state.cluster.nodes),
        blobs=len(digests) - len(missing),
        missing=tuple(missing),
        files=hashes,
    )
    _write(file, manifest, contents, store.blobs)
    return manifest


def create_from(directory: Path, file: Path, cluster_name: str) -> Manifest:
    """Back up the state directory of a stopped controller. Raises StateDirHeld, CorruptFile, StorageError."""
    if not (directory / "raft").is_dir():
        raise StorageError(f"{directory} holds no state of a cluster")
    store = Store(directory)
    try:
        return create(store, file, cluster_name, lambda: read_back(store))
    finally:
        store.close()


def check(file: Path) -> Manifest:
    """What ``file`` is a backup of, once all of it has been found right. Raises DamagedBackup, StorageError."""
    with contextlib.closing(_files(file)) as files:
        _, data = next(files)
        manifest = _manifest(file, data)
        for name, content in files:
            if name == _SNAPSHOT:
                _check_state(file, manifest, content)
    return manifest


def restore(file: Path, directory: Path, force: bool = False, alone: Configuration | None = None) -> Manifest:
    """Make ``directory`` the state directory of a cluster of one that begins with the backup's state.

    ``alone`` is that cluster: its one member is it whatever the configuration file says of others, who could otherwise
    agree on something else among themselves. None leaves it to the configuration file.
    Refused where a running controller holds the directory (StateDirHeld), or it holds a cluster's state already
    (NotEmpty), unless ``force`` moves that to ``replaced-<time>`` in the same directory. Raises DamagedBackup where the
    backup is not what was written; nothing has been touched then.
    """
    with StateDirLock(directory):
        if not force:
            check_empty(directory, "restore elsewhere, or move what is there aside with --force")
        try:
            with staged(directory, _STAGING) as staging:
                manifest = _unpack(file, staging, alone)
        except OSError as error:
            raise from_os_error("restoring to", directory, error) from error
    return manifest


def _write(file: Path, manifest: Manifest, contents: bytes, blobs: BlobStore) -> None:
    try:
        with (
            replacing(file) as raw,
            gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw) as compressed,
            tarfile.open(fileobj=compressed, mode="w|") as tar,
        ):
            _add(tar, _MANIFEST, json.dumps(msgspec.to_builtins(manifest), indent=1).encode())
            _add(tar, _SNAPSHOT, contents)
            for name in manifest.files:
                if name != _SNAPSHOT:
                    _add(tar, name, blobs.get(name.removeprefix(_BLOBS)))
    except OSError as error:
        raise from_os_error("writing", file, error) from error


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = len(content), 0o600, int(time.time())
    tar.addfile(member, io.BytesIO(content))


def _files(file: Path) -> Generator[tuple[str, bytes], None, None]:
    """Name and content of each file in a backup, the manifest first; each has been checked against it."""
    expected: dict[str, str] | None = None
    try:
        with gzip.open(file, "rb") as stream:
            with tarfile.open(fileobj=stream, mode="r|") as tar:
                for member in tar:
                    content = _content(file, tar, member)
                    if expected is None:
                        expected = dict(_manifest(file, content).files) if member.name == _MANIFEST else {}
                    elif expected.pop(member.name, None) != hashlib.sha256(content).hexdigest():
                        raise DamagedBackup(file, f"{member.name} is not what the manifest says")
                    yield member.name, content
            while stream.read(1024 * 1024):
                pass
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DamagedBackup(file, f"expected a .tar.gz that can be read to its end: {error}") from error
    except OSError as error:
        raise from_os_error("reading", file, error) from error
    if expected is None or expected:
        problem = f"{min(expected)} is missing" if expected else "there is no manifest"
        raise DamagedBackup(file, problem)


def _content(file: Path, tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = tar.extractfile(member) if member.isfile() and member.size <= _MEMBER_MAX else None
    if stream is None:
        raise DamagedBackup(file, f"{member.name} is no file of a backup")
    return stream.read()


def _manifest(file: Path, data: bytes) -> Manifest:
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DamagedBackup(file, f"its manifest cannot be read: {error}") from error
    if manifest.format != FORMAT:
        raise StorageError(
            f"{file} has format {manifest.format}, this release reads {FORMAT}: use the one that wrote it"
        )
    if _SNAPSHOT not in manifest.files:
        raise DamagedBackup(file, "its manifest names no state")
    return manifest


def _check_state(file: Path, manifest: Manifest, contents: bytes) -> None:
    try:
        cluster = snapshot.load(contents)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DamagedBackup(file, f"its state cannot be read: {error}") from error
    held = {name.removeprefix(_BLOBS) for name in manifest.files} | set(manifest.missing)
    if lacking := blobs_of(cluster) - held:
        raise DamagedBackup(file, f"the state needs {len(lacking)} blobs that are not in it, {min(lacking)} among them")


def _unpack(file: Path, staging: Path, alone: Configuration | None) -> Manifest:
    """Build the parts of a state directory in ``staging``."""
    with contextlib.closing(_files(file)) as files:
        _, data = next(files)
        manifest = _manifest(file, data)
        blobs = BlobStore(make_directory(staging) / "blobs")
        try:
            batch: list[bytes] = []
            for name, content in files:
                if name == _SNAPSHOT:
                    _check_state(file, manifest, content)
                    SnapshotStore(staging / "snapshots").write(manifest.index, manifest.term, [content], alone)
                    continue
                batch.append(content)
                if sum(map(len, batch)) > _BATCH_BYTES:
                    blobs.put_many(batch)
                    batch = []
            blobs.put_many(batch)
        finally:
            blobs.close()
    HardStateFile(staging / "raft" / "hard_state").save(HardState(manifest.term))
    return manifest
