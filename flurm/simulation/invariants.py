"""What must hold at every step of a Raft cluster (Raft paper, figure 3), checked from outside.

``History`` sees what every member does and compares it with what any of them has done before. It knows the rules from
the paper, not from the code: majorities are counted here anew, on what the disks hold.
"""

from __future__ import annotations

import bisect
import zlib
from collections.abc import Callable, Collection

from flurm.raft.records import Configuration, Entry


class Violation(Exception):
    """Something happened that never may."""


class History:
    """All that has been agreed on so far, and by whom."""

    def __init__(self) -> None:
        self.leaders: dict[int, str] = {}
        self.entries: dict[tuple[int, int], tuple[int, bytes]] = {}
        self.committed: list[Entry] = []
        self.commit_terms: list[int] = []
        """For each of them the term of the leader that committed it: it never falls."""
        self.digests: list[int] = [0]
        self.acknowledged: dict[int, bytes] = {}

    @property
    def commit_index(self) -> int:
        """The highest index that any member has committed."""
        return len(self.committed)

    def became_leader(self, member: str, term: int, term_at: Callable[[int], int | None], base_index: int) -> None:
        """Election safety, and leader completeness: its log holds whatever was committed in earlier terms."""
        if term in self.leaders:
            raise Violation(f"{member} leads in term {term}, in which {self.leaders[term]} already did")
        self.leaders[term] = member
        index = bisect.bisect_left(self.commit_terms, term)
        if index > base_index and term_at(index) != self.committed[index - 1].term:
            raise Violation(
                f"{member} leads in term {term} without entry {index}, committed in term {self.commit_terms[index - 1]}"
            )

    def appended(self, member: str, entries: tuple[Entry, ...], previous_term: int) -> None:
        """Log matching: an entry is known by index and term, and so is everything before it."""
        for entry in entries:
            known = self.entries.setdefault((entry.index, entry.term), (previous_term, entry.payload))
            if known != (previous_term, entry.payload):
                raise Violation(f"{member} has another entry {entry.index} of term {entry.term} than others")
            previous_term = entry.term

    def never_existed(self, after: int, term: int) -> None:
        """Entries of ``term`` after ``after`` were refused by the disk of a member that is alone."""
        index = after + 1
        while self.entries.pop((index, term), None) is not None:
            index += 1

    def committed_by(self, member: str, term: int, entries: tuple[Entry, ...]) -> None:
        """State-machine safety: what is committed at an index is the same everywhere."""
        for entry in entries:
            if entry.index <= self.commit_index:
                agreed = self.committed[entry.index - 1]
                if (agreed.term, agreed.payload) != (entry.term, entry.payload):
                    raise Violation(
                        f"{member} commits entry {entry.index} of term {entry.term}, others that of {agreed.term}"
                    )
            elif entry.index == self.commit_index + 1:
                self.committed.append(entry)
                self.commit_terms.append(term)
                self.digests.append(zlib.crc32(entry.payload, self.digests[-1]))
            else:
                raise Violation(f"{member} commits entry {entry.index}, nobody has committed {self.commit_index + 1}")

    def digest(self, index: int) -> int:
        """What the state after ``index`` looks like."""
        return self.digests[index]


def commit_is_durable(entry: Entry, configuration: Configuration, holders: Collection[str]) -> None:
    """What is committed is on the disks of a majority, of both sides where the configuration is joint."""
    for voters in filter(None, (configuration.voters, configuration.outgoing)):
        if 2 * len(set(voters) & set(holders)) <= len(voters):
            raise Violation(
                f"entry {entry.index} of term {entry.term} is committed, but of {', '.join(voters)} only "
                f"{', '.join(sorted(set(voters) & set(holders))) or 'nobody'} has it on disk"
            )


def commit_is_of_own_term(member: str, entry: Entry, term: int) -> None:
    """A leader commits by count only what is of its own term (Raft paper, section 5.4.2)."""
    if entry.term != term:
        raise Violation(f"{member} leads in term {term} and commits entry {entry.index} of term {entry.term} by count")
