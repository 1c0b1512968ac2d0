"""What one member knows, and the few steps that all rules are made of.

``Member`` is the state that the rules (``election``, ``following``, ``replication``, ``membership``, ``snapshotting``,
``reads``, ``transfer``) read and change; ``RaftServer`` in ``server`` calls them. Nothing here decides anything: it
keeps what belongs together in step, such as a log and the configurations in it, and gathers the effects.

Two rules about storage hold everywhere:

- Nothing is counted, for a vote as for a match index, before storage has said that it is durable, and ``commit_index``
  never passes ``durable_index``: what this member has handed out for application it also has on its own disk.
- Entries on disk are replaced only when no append is under way, so that an answer can never speak of entries that have
  been replaced meanwhile. Whoever wants to replace some earlier has to wait.
"""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import msgspec

from flurm.raft.effects import (
    Append,
    Commit,
    ConfigurationChanged,
    Effect,
    LeaderChanged,
    Reject,
    RejectReason,
    Send,
    SteppedDown,
)
from flurm.raft.events import ChangeMembership
from flurm.raft.limits import Limits, Timing
from flurm.raft.log import LogView
from flurm.raft.messages import AppendEntries, Message
from flurm.raft.progress import Progress
from flurm.raft.records import Configuration, Entry, EntryKind, HardState, Role


class Waiting(msgspec.Struct, frozen=True):
    """A proposal that has not been committed."""

    token: Any
    size: int


class Ballot(msgspec.Struct):
    """An election that this member holds: for real in its own term, or ``pre`` for the next one."""

    term: int
    pre: bool
    transfer: bool = False
    votes: dict[str, bool] = {}
    asked: bool = False
    ask_again_ms: int = 0


class Following(msgspec.Struct):
    """What a member knows of its log in the present term while somebody else leads."""

    verified_index: int
    """Up to here its log is the leader's."""
    leader_commit: int = 0
    round: int = 0
    answer_due: bool = False
    """An answer waits for the term to be durable."""
    postponed: AppendEntries | None = None
    """It wants to replace entries that are still being written."""


class Receiving(msgspec.Struct):
    """A snapshot that comes in pieces from ``sender``: bytes up to ``stored`` are durable."""

    sender: str
    index: int
    term: int
    stored: int = 0
    storing: bool = False
    """A piece is being written; nothing else is taken meanwhile."""
    installing: bool = False
    """It is the last one: the log is about to be replaced."""


class Change(msgspec.Struct):
    """A change of membership that is under way, from ``before``; the last entry of it takes the token over."""

    request: ChangeMembership
    before: Configuration
    give_up_ms: int


class Transfer(msgspec.Struct):
    """Leadership is being handed to ``target``."""

    target: str
    token: Any
    term: int
    give_up_ms: int
    told: bool = False


class PendingRead(msgspec.Struct, frozen=True):
    """A read that is answered once a majority has answered heartbeat ``round``."""

    round: int
    token: Any


class Member:
    """The state of one member, and its primitive operations."""

    def __init__(self, member: str, configuration: Configuration, timing: Timing, limits: Limits, seed: int) -> None:
        self.member = member
        self.timing = timing
        self.limits = limits
        self.random = random.Random(f"{member}/{seed}")
        self.effects: list[Effect] = []
        self.now_ms = 0
        self.role = Role.RECOVERING
        self.leader: str | None = None
        self.hard_state = HardState()
        self.saved = HardState()
        self.hard_state_in_flight = False
        self.log = LogView()
        self.commit_index = 0
        self.durable_index = 0
        self.epoch = 0
        self.replacing_from: int | None = None
        self.disk_holds_more = False
        self.configurations: list[tuple[int, Configuration]] = []
        self.configuration = Configuration()
        self.waiting: dict[int, Waiting] = {}
        self.waiting_bytes = 0
        self.ballot: Ballot | None = None
        self.election_due_ms: int | None = None
        self.heard_ms: int | None = None
        self.recovered_ms: int | None = None
        """The first tick after it recovered."""
        self.longest_silence_ms = 0
        """Between two messages of the leader that is followed now: how late its heartbeats have been."""
        self.state_lags = False
        self.machine_version = 0
        self.machines = (1, 1)
        self.machine_proposed = 0
        self.following = Following(0)
        self.progress: dict[str, Progress] = {}
        self.round = 0
        self.rounds_sent: deque[tuple[int, int]] = deque()
        """Heartbeats of this term and when they were sent, as long as a lease may rest on them."""
        self.handed_over_in = 0
        """The newest term in which this member, leading, has told another one to take over."""
        self.sent_index = 0
        """The last entry of this term that anybody else may have seen."""
        self.heartbeat_due_ms = 0
        self.reads: list[PendingRead] = []
        self.change: Change | None = None
        self.transfer: Transfer | None = None
        self.receiving: Receiving | None = None
        self.snapshot_index = 0
        self.snapshot_wanted = 0
        self.reset_configuration(0, configuration)
        self.effects.clear()

    @property
    def term(self) -> int:
        """The newest term this member knows of."""
        return self.hard_state.term

    @property
    def installing(self) -> bool:
        """Whether storage is about to replace the log by a snapshot: the log must not be touched."""
        return self.receiving is not None and self.receiving.installing

    def send(self, to: str, message: Message) -> None:
        """Have ``message`` sent."""
        self.effects.append(Send(to, message))

    def reject(self, token: Any, reason: RejectReason, detail: str = "") -> None:
        """Refuse what came with ``token``."""
        self.effects.append(Reject(token, reason, detail or reason.value, self.leader))

    def append(self, entries: list[Entry]) -> None:
        """Add ``entries`` to the log and have them made durable."""
        for entry in entries:
            self.log.append(entry)
            if entry.kind is EntryKind.CONFIGURATION:
                self.configurations.append((entry.index, Configuration.decode(entry.payload)))
                self._use_newest_configuration()
        self.save_term_first()
        self.effects.append(Append(entries=tuple(entries), epoch=self.epoch))

    def recover_log(self, entries: tuple[Entry, ...], configuration: Configuration | None) -> None:
        """Take over what storage holds after the snapshot, in which ``configuration`` held."""
        configurations = [(self.log.base_index, configuration or self.configuration)]
        for entry in entries:
            self.log.append(entry)
            if entry.kind is EntryKind.CONFIGURATION:
                configurations.append((entry.index, Configuration.decode(entry.payload)))
        self.configurations = configurations
        self._use_newest_configuration()

    def next_entry(self, kind: EntryKind, payload: bytes = b"", offset: int = 0) -> Entry:
        """The entry that a leader appends next, or ``offset`` places later."""
        return Entry(self.log.last_index + 1 + offset, self.term, kind, payload)

    def storage_is_busy(self) -> bool:
        """Whether entries on disk must not be replaced now: an answer still to come could be misread afterwards."""
        if self.durable_index < self.log.last_index:
            return True
        return self.disk_holds_more and self.hard_state_in_flight

    def cut_log(self, first: int) -> None:
        """Forget the entries from ``first`` on, which a leader contradicts; the next append replaces them on disk."""
        assert first > self.commit_index, f"entry {first} is committed (up to {self.commit_index})"
        assert not self.storage_is_busy()
        self._truncate_after(first - 1)
        self.replacing_from = first

    def lose_unstored(self, last_index: int, poisoned: bool) -> None:
        """Forget what storage refused: the log on disk ends at ``last_index``, and its end may be of an older log."""
        if self.replacing_from is not None and last_index >= self.replacing_from:
            last_index, self.disk_holds_more = self.replacing_from - 1, True
        last_index = max(last_index, self.commit_index)
        self._truncate_after(min(last_index, self.log.last_index))
        self.machine_proposed = 0
        if not poisoned:
            self.durable_index = self.log.last_index

    def _truncate_after(self, index: int) -> None:
        self.log.truncate_after(index)
        self.durable_index = min(self.durable_index, index)
        self.following.verified_index = min(self.following.verified_index, index)
        if self.configurations[-1][0] > index:
            while self.configurations[-1][0] > index:
                self.configurations.pop()
            self._use_newest_configuration()

    def durable(self, index: int) -> None:
        """The log is on disk up to ``index``."""
        self.durable_index = index
        if self.replacing_from is not None and index >= self.replacing_from:
            self.replacing_from, self.disk_holds_more = None, False

    def save_hard_state(self) -> None:
        """Have term and vote made durable; once, where the same event changed both one after the other."""
        last = self.effects[-1] if self.effects else None
        if isinstance(last, Append) and not last.entries:
            self.effects.pop()
        self.hard_state_in_flight = True
        self.effects.append(Append(hard_state=self.hard_state, epoch=self.epoch))

    def save_term_first(self) -> None:
        """Where storage refused the term, have it stored now: entries of a term must not get to disk before it."""
        if self.saved != self.hard_state and not self.hard_state_in_flight:
            self.save_hard_state()

    def commit(self, index: int) -> None:
        """Everything up to ``index`` is agreed on."""
        entries = self.log.slice(self.commit_index + 1, index)
        self.commit_index = index
        if self.alone:
            self.log.release(index)
        if self.waiting:
            tokens = tuple(self.take_token(entry.index) for entry in entries)
        else:
            tokens = (None,) * len(entries)
        self.effects.append(Commit(entries, tokens))

    def take_token(self, index: int) -> Any:
        """The token of the proposal at ``index``, which waits no more; None where nobody waits."""
        waiting = self.waiting.pop(index, None)
        if waiting is None:
            return None
        self.waiting_bytes -= waiting.size
        return waiting.token

    def reject_waiting(self, after: int, reason: RejectReason, detail: str) -> None:
        """Refuse the proposals whose entries are after ``after``."""
        for index in sorted(index for index in self.waiting if index > after):
            self.reject(self.take_token(index), reason, detail)

    def reset_configuration(self, index: int, configuration: Configuration) -> None:
        """``configuration`` holds at ``index``, the beginning of the log, and what comes later is in the log."""
        self.configurations = [(index, configuration)]
        self._use_newest_configuration()

    def forget_configurations(self, upto: int) -> None:
        """Nobody will ask any more which configuration held before ``upto``."""
        while len(self.configurations) > 1 and self.configurations[1][0] <= upto:
            del self.configurations[0]

    def configuration_at(self, index: int) -> Configuration:
        """The configuration that holds once the entry ``index`` is applied, for whoever takes a snapshot there.

        ``index`` must not be before the newest snapshot.
        """
        return next(configuration for at, configuration in reversed(self.configurations) if at <= index)

    def _use_newest_configuration(self) -> None:
        """Work out once what is asked often: whether this member's vote counts, whether it decides alone, and whether
        it is alone altogether, so that nobody else ever sees its log."""
        changed = self.configuration != self.configurations[-1][1]
        self.configuration = self.configurations[-1][1]
        self.voters = frozenset(self.configuration.voters)
        self.outgoing = frozenset(self.configuration.outgoing)
        self.others = self.configuration.members - {self.member}
        self.votes = self.member in self.voters or self.member in self.outgoing
        self.sole_voter = self.voters == {self.member} and not self.outgoing
        self.alone = self.sole_voter and not self.others
        if changed:
            self.effects.append(ConfigurationChanged(self.configuration))

    def follow(self, leader: str | None) -> None:
        """Be a follower in the present term."""
        led = self.role is Role.LEADER
        self.role = Role.FOLLOWER
        self.ballot = None
        self.progress = {}
        if led:
            self.leader = leader
            self.effects.append(SteppedDown(self.term, leader))
            self._give_up_what_waits()
        else:
            self.know_leader(leader)

    def follow_in(self, term: int) -> None:
        """Take on a newer term, whose leader is not known yet."""
        self.hard_state = HardState(term=term)
        self.following = Following(self.commit_index)
        self.follow(None)
        self.save_hard_state()

    def know_leader(self, leader: str | None) -> None:
        """Remember who leads, and tell where that is news."""
        if self.leader != leader:
            self.leader = leader
            self.effects.append(LeaderChanged(self.term, leader))

    def _give_up_what_waits(self) -> None:
        reason = RejectReason.LEADERSHIP_LOST
        self.reject_waiting(after=self.commit_index, reason=reason, detail=reason.value)
        for read in self.reads:
            self.reject(read.token, reason)
        self.reads = []
        if self.change is not None:
            self.reject(self.change.request.token, reason)
            self.change = None

    def arm_election(self) -> None:
        """Begin to wait for a leader; the wait is drawn at random, so that members do not campaign together.

        A member that could not serve yet lets the others stand first; where they cannot win, it does.
        """
        shortest_ms, longest_ms = self.timing.election_ms
        waits_ms = longest_ms if self.state_lags else 0
        self.election_due_ms = self.now_ms + waits_ms + self.random.randint(shortest_ms, longest_ms)
