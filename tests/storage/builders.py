"""What the storage tests are made of: entries, logs, and disks that fail."""

import errno
import os

from flurm.raft.records import Entry, EntryKind
from flurm.storage.files import Device
from flurm.storage.segments import SegmentLog


def entry(index, payload=b"payload", term=1, kind=EntryKind.COMMAND):
    return Entry(index, term, kind, payload)


def entries(first, last, size=20, term=1):
    return [entry(index, f"{index}".encode().ljust(size, b"."), term) for index in range(first, last + 1)]


def log_with(directory, *batches, **options):
    """The path of a closed log's only segment, written in the given batches."""
    log = SegmentLog(directory, **options)
    for batch in batches:
        log.append(batch)
    log.close()
    return sorted(directory.glob("log-*.seg"))[-1]


def content(log):
    return list(log.read(log.first_index, log.last_index))


class FailingDevice(Device):
    """A disk that refuses on demand: after ``room`` more bytes, at the next sync, at the next truncation."""

    def __init__(self):
        self.room = None
        self.error = errno.ENOSPC
        self.sync_fails = False
        self.truncate_fails = False

    def write(self, fd, data, offset):
        if self.room is not None and len(data) > self.room:
            os.pwrite(fd, data[: self.room], offset)
            raise OSError(self.error, os.strerror(self.error))
        super().write(fd, data, offset)
        if self.room is not None:
            self.room -= len(data)

    def sync(self, fd):
        if self.sync_fails:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().sync(fd)

    def truncate(self, fd, size):
        if self.truncate_fails:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().truncate(fd, size)
