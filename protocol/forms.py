"""Kept wire forms: what was packed before is looked up instead of being packed again.

Records repeat their values: the partition, the working directory, and above all that nothing was asked for. So the
compiled packers ask a table for the form of a text, and for the forms of texts and bitmaps that stand beside each
other, with the few numbers between them, ask with all of them at once. A table makes what it lacks, and is emptied when
it is full, so what varies from record to record costs a little more and never much memory. Names tell how much a field
varies: one of `VARIED` is not looked up at all, one of `OWN` not together with others. Readers in many threads share
the tables without a lock: each access is one dict operation, and a form that two of them make is the same.

What is equal has one form: a number of the wrong type that equals one packed before (2.0, 2) passes. Real numbers are
therefore never looked up, -0.0 and 0.0 are not the same on the wire.

Memory: the table of texts holds at most 4096 forms of 256 bytes, that of a place in a layout 512 forms of 512 bytes. An
entry is 0.3 to 1 KiB with what it is looked up by, so a place whose values never come again costs half a MiB at most; a
job record has about 20 such places in each release.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from struct import Struct
from typing import Any

from protocol.schema import Scalar, WireType, bits
from protocol.wire import bits_form

__all__ = ["OWN", "TEXT", "VARIED", "RecordForms", "Run", "forget", "text_form"]

VARIED = frozenset(
    {
        *("argv", "batch_host", "name", "node_addr", "node_hostname", "node_inx", "nodes", "script"),
        *("alloc_sid", "array_job_id", "array_task_id", "job_id", "priority", "sluid"),
        *("accrue_time", "eligible_time", "end_time", "last_sched_eval", "start_time", "submit_time"),
        *("boot_time", "cpu_load", "free_mem", "last_busy", "slurmd_start_time"),
        *("assoc_id", "bitflags", "group_id", "user_id"),
    }
)
"""Fields that differ from record to record: every look-up with one of them would fail."""

OWN = frozenset(
    {"account", "command", "mail_user", "std_err", "std_in", "std_out", "submit_line", "user_name", "work_dir"}
)
"""Texts that come again with a user's other jobs, but not beside the same neighbours: looked up alone."""

_U32 = Struct(">I")
_MOST_TEXTS = 4096
_MOST_RUNS = 512
_LONGEST = 256
"""What is longer than this many bytes is not kept."""


def text_form(text: str | None) -> bytes:
    """Length with the terminating zero, bytes, zero; of None, the length 0. Raises AttributeError for what is no
    text."""
    if text is None:
        return b"\0\0\0\0"
    raw = text.encode("utf-8", "surrogateescape")
    return b"%b%b\0" % (_U32.pack(len(raw) + 1), raw)


class _Table(dict[Any, bytes]):
    """Forms by what they are the form of."""

    most = _MOST_RUNS
    longest = _LONGEST

    def __init__(self) -> None:
        _TABLES.append(self)

    def __missing__(self, key: Any) -> bytes:
        """Raises what packing raises, and TypeError for what cannot be looked up."""
        form = self.make(key)
        if len(form) <= self.longest:
            if len(self) >= self.most:
                self.clear()
            self[key] = form
        return form

    def make(self, key: Any) -> bytes:
        raise NotImplementedError


_TABLES: list[_Table] = []


def forget() -> None:
    """Empty all tables, as they are before the first look-up: for measurements."""
    for table in _TABLES:
        table.clear()


class _Texts(_Table):
    """The forms of single texts."""

    most = _MOST_TEXTS

    def make(self, key: str | None) -> bytes:
        return text_form(key)


TEXT = _Texts()


class Run(_Table):
    """The joined forms of the values at one place of one layout: texts, bitmaps, numbers."""

    longest = 2 * _LONGEST

    def __init__(self, types: Iterable[WireType]) -> None:
        super().__init__()
        self._makers = [_maker(of) for of in types]

    def make(self, key: tuple[Any, ...]) -> bytes:
        return b"".join([make(value) for make, value in zip(self._makers, key, strict=True)])


class RecordForms(_Table):
    """The forms of a small record inside another, by its values."""

    def __init__(self, record: Callable[..., Any], pack: Callable[[Any, bytearray], None]) -> None:
        super().__init__()
        self._record, self._pack = record, pack

    def make(self, key: tuple[Any, ...]) -> bytes:
        out = bytearray()
        self._pack(self._record(*key), out)
        return bytes(out)


def _maker(of: WireType) -> Callable[[Any], bytes]:
    if isinstance(of, Scalar):
        return Struct(">" + of.code).pack
    return bits_form if of is bits else TEXT.__getitem__
