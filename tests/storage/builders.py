"""What the storage tests are made of: entries, logs, and disks that fail."""

import errno
import os
from pathlib import Path

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

    def allocate(self, fd, size):
        if self.room is not None:
            raise OSError(self.error, os.strerror(self.error))
        super().allocate(fd, size)

    def sync(self, fd):
        if self.sync_fails:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().sync(fd)

    def truncate(self, fd, size):
        if self.truncate_fails:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().truncate(fd, size)


class PowerLost(Exception):
    """The power went while the disk was asked for something."""


class LossyDevice(Device):
    """A disk whose power is cut: of what was not synced some sectors arrived and some did not.

    It goes by itself before operation number ``lives`` (from 0) where that is set. ``syncs`` off makes a disk that only
    says it syncs.
    """

    SECTOR = 512

    def __init__(self, lives=None):
        self.lives, self.syncs = lives, True
        self._unsynced = []

    def write(self, fd, data, offset):
        dies = self.lives == 0
        before = os.pread(fd, len(data), offset).ljust(len(data), b"\0")
        self._unsynced.append((_file_of(fd), offset, before, os.fstat(fd).st_size))
        super().write(fd, data, offset)
        self.live(dies)

    def sync(self, fd):
        self.live()
        if self.syncs:
            self._settle(fd)
            super().sync(fd)

    def truncate(self, fd, size):
        self.live()
        self._settle(fd)
        super().truncate(fd, size)

    def live(self, dies=None):
        """Go dark where it is time; a write reaches the cache first."""
        if self.lives == 0 or dies:
            raise PowerLost
        if self.lives is not None:
            self.lives -= 1

    def _settle(self, fd):
        self._unsynced = [each for each in self._unsynced if each[0] != _file_of(fd)]

    def power_cut(self, chance=None):
        """Take back what was never synced: all of it, or by ``chance`` each sector and the file's new length or not."""
        chance = chance or _Always()
        self.lives = None
        for path, offset, before, size in reversed(self._unsynced):
            if path.exists():
                with path.open("r+b") as file:
                    self._take_back(file.fileno(), offset, before, size, chance)
        self._unsynced = []

    def _take_back(self, fd, offset, before, size, chance):
        now, stop = os.fstat(fd).st_size, offset + len(before)
        for start in range(offset - offset % self.SECTOR, stop, self.SECTOR):
            if chance.random() < 0.5:
                begin, end = max(start, offset), min(start + self.SECTOR, stop)
                os.pwrite(fd, before[begin - offset : end - offset], begin)
        if chance.random() < 0.5:
            os.ftruncate(fd, chance.randint(min(size, now), now))


class _Always:
    """The chance of somebody who is never lucky."""

    def random(self):
        return 0.0

    def randint(self, low, high):
        return low


def _file_of(fd):
    return Path(f"/proc/self/fd/{fd}").readlink()
