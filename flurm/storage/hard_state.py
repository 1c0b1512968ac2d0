"""The hard state on disk: the term and the vote, in one small file that is replaced as a whole.

A msgpack array of term and vote behind its CRC-32C. A member that forgets its vote can vote twice, so a file that
cannot be read is an error, not a fresh start; only a file that was never written is.
"""

from __future__ import annotations

from pathlib import Path

import google_crc32c
import msgpack

from flurm.raft.records import HardState
from flurm.storage.errors import CorruptLog, from_os_error
from flurm.storage.files import make_directory, remove_leftovers, write_atomically

_CRC_SIZE = 4
ADVICE = (
    "This member no longer knows whom it voted for. A cluster of one may restore the file from a backup; a member of "
    "several has to be removed from the cluster and added again."
)


class HardStateFile:
    """The hard state in ``path``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        make_directory(path.parent)
        remove_leftovers(path.parent)

    def load(self) -> HardState:
        """What was saved last; the initial one where nothing ever was. Raises CorruptLog, StorageError."""
        return read(self.path)

    def save(self, state: HardState) -> None:
        """Make ``state`` durable. Raises StorageError; the former one stands then."""
        body = msgpack.packb((state.term, state.voted_for))
        write_atomically(self.path, [google_crc32c.value(body).to_bytes(_CRC_SIZE, "little"), body])


def read(path: Path) -> HardState:
    """The hard state in ``path``; the initial one where there is no such file. Raises CorruptLog, StorageError."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return HardState()
    except OSError as error:
        raise from_os_error("reading", path, error) from error
    expected, found = int.from_bytes(data[:_CRC_SIZE], "little"), google_crc32c.value(data[_CRC_SIZE:])
    if len(data) <= _CRC_SIZE or expected != found:
        raise CorruptLog(path, 0, f"expected CRC-32C {expected:08x}, found {found:08x}", ADVICE)
    term, voted_for = msgpack.unpackb(data[_CRC_SIZE:])
    return HardState(term, voted_for)
