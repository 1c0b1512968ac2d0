"""The part of the log that a Raft server keeps in memory: the entries after a base, without gaps.

The base is the last entry that is no longer held (a snapshot, or one that was committed and handed out); of it only
index and term are known. Everything older is storage's.
"""

from __future__ import annotations

from collections.abc import Iterable

from flurm.raft.records import Entry


class LogView:
    """Entries base+1 .. last, in memory."""

    def __init__(self, base_index: int = 0, base_term: int = 0, entries: Iterable[Entry] = ()) -> None:
        self._base_index = base_index
        self._base_term = base_term
        self._entries: list[Entry] = []
        for entry in entries:
            self.append(entry)

    @property
    def base_index(self) -> int:
        """Index of the last entry that is not held any more."""
        return self._base_index

    @property
    def last_index(self) -> int:
        """Index of the newest entry."""
        return self._base_index + len(self._entries)

    @property
    def last_term(self) -> int:
        """Term of the newest entry."""
        return self._entries[-1].term if self._entries else self._base_term

    def term_at(self, index: int) -> int | None:
        """Term of the entry at ``index``; None where the view does not know it."""
        if index == self._base_index:
            return self._base_term
        if self._base_index < index <= self.last_index:
            return self._entries[index - self._base_index - 1].term
        return None

    def slice(self, first: int, last: int) -> tuple[Entry, ...]:
        """The entries ``first`` .. ``last``, both included; all of them must be held."""
        assert self._base_index < first and last <= self.last_index, (first, last, self._base_index, self.last_index)
        return tuple(self._entries[first - self._base_index - 1 : last - self._base_index])

    def batch(self, first: int, max_entries: int, max_bytes: int) -> tuple[Entry, ...]:
        """The entries from ``first`` on that fit into one message: at least one where there is one."""
        start = first - self._base_index - 1
        assert start >= 0, (first, self._base_index)
        stop, size = start, 0
        while stop < len(self._entries) and stop - start < max_entries:
            size += len(self._entries[stop].payload)
            if size > max_bytes and stop > start:
                break
            stop += 1
        return tuple(self._entries[start:stop])

    def newest_not_above(self, index: int, term: int) -> int:
        """The newest index up to ``index`` whose entry's term is at most ``term``; the base where no entry is."""
        index = min(index, self.last_index)
        while index > self._base_index and self._entries[index - self._base_index - 1].term > term:
            index -= 1
        return max(index, self._base_index)

    def append(self, entry: Entry) -> None:
        """Add ``entry`` at the end; its index must be the next one and its term no smaller than the last."""
        assert entry.index == self.last_index + 1, f"entry {entry.index} does not follow {self.last_index}"
        assert entry.term >= self.last_term, f"entry {entry.index}: term {entry.term} after {self.last_term}"
        self._entries.append(entry)

    def truncate_after(self, index: int) -> None:
        """Forget the entries after ``index``."""
        assert index >= self._base_index, f"entry {index} was already handed out (base {self._base_index})"
        del self._entries[index - self._base_index :]

    def release(self, upto: int) -> None:
        """Stop holding the entries up to ``upto``, which becomes the base."""
        term = self.term_at(upto)
        assert term is not None, f"entry {upto} is not held"
        del self._entries[: upto - self._base_index]
        self._base_index, self._base_term = upto, term
