"""The Raft server: one member's rules as a machine. ``handle(event)`` returns the effects; nothing else happens.

A member recovers, then it is a follower, a candidate or a leader. It counts itself, for a vote as for a match index,
only once storage has said that what it counts is durable. A leader opens its term with a no-op entry and commits by
count only entries of its own term (Raft paper, section 5.4.2); what earlier terms left behind commits along with them.

A member that is the only voter waits for nobody: it campaigns as soon as it has recovered, its own durable vote elects
it, its own durable append commits. That is the path every cluster takes, with a majority of one.

Where storage refuses an append, the entries never existed: a sole voter drops them and refuses their proposals at once;
a leader of several, whose entries may live on elsewhere, steps down. The next epoch tells late answers about dropped
entries from those about new ones.

Elections and replication between members enter through ``_step``: a message type, a handler in ``_HANDLERS``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import msgspec

from flurm.raft import quorum
from flurm.raft.effects import Append, BecameLeader, Commit, Effect, Reject, RejectReason, SteppedDown
from flurm.raft.events import Appended, AppendFailed, Event, FailureKind, Propose, Received, Recovered, Tick
from flurm.raft.log import LogView
from flurm.raft.messages import Message
from flurm.raft.records import Entry, EntryKind, HardState, Role, Status


class Limits(msgspec.Struct, frozen=True):
    """Bounds on what one server holds for proposals that have not been committed."""

    waiting_entries: int = 10_000
    waiting_bytes: int = 64 * 1024 * 1024
    command_bytes: int = 16 * 1024 * 1024


class _Waiting(msgspec.Struct, frozen=True):
    token: Any
    size: int


class RaftServer:
    """One member. Feed it ``Recovered`` first, then whatever happens, and carry out what it returns, in order."""

    _HANDLERS: ClassVar[dict[type[Message], Callable[[RaftServer, Message], None]]] = {}

    def __init__(self, member: str, voters: Iterable[str], limits: Limits = Limits()) -> None:  # noqa: B008
        self.member = member
        self.voters = frozenset(voters)
        self.limits = limits
        self.role = Role.RECOVERING
        self.hard_state = HardState()
        self.leader: str | None = None
        self.commit_index = 0
        self.durable_index = 0
        self.now_ms = 0
        self.log = LogView()
        self._epoch = 0
        self._votes: dict[str, bool] = {}
        self._match: dict[str, int] = {}
        self._saved = HardState()
        self._hard_state_in_flight = False
        self._waiting: dict[int, _Waiting] = {}
        self._waiting_bytes = 0
        self._effects: list[Effect] = []

    @property
    def term(self) -> int:
        """The newest term this member knows of."""
        return self.hard_state.term

    def status(self) -> Status:
        """The server at this moment, as a value."""
        return Status(
            member=self.member,
            role=self.role,
            term=self.term,
            leader=self.leader,
            voters=self.voters,
            commit_index=self.commit_index,
            last_index=self.log.last_index,
            durable_index=self.durable_index,
            waiting=len(self._waiting),
        )

    def handle(self, event: Event) -> tuple[Effect, ...]:
        """Take one event in and return what is to be done, in order."""
        match event:
            case Propose():
                self._propose(event)
            case Appended():
                self._appended(event)
            case Tick():
                self._tick(event)
            case AppendFailed():
                self._append_failed(event)
            case Received():
                self._step(event.message)
            case Recovered():
                self._recovered(event)
        effects, self._effects = tuple(self._effects), []
        return effects

    def _recovered(self, event: Recovered) -> None:
        assert self.role is Role.RECOVERING, "a server recovers once"
        self.hard_state = self._saved = event.hard_state
        self.log = LogView(event.snapshot_index, event.snapshot_term, event.entries)
        self.commit_index = event.snapshot_index
        self.durable_index = self.log.last_index
        assert self.log.last_term <= self.term, f"the log is in term {self.log.last_term}, the member in {self.term}"
        self.role = Role.FOLLOWER
        if self._alone():
            self._campaign()

    def _tick(self, event: Tick) -> None:
        self.now_ms = max(self.now_ms, event.now_ms)
        if self._saved != self.hard_state and not self._hard_state_in_flight:
            self._save_hard_state()
        if not self._alone():
            return
        if self.role is Role.FOLLOWER:
            self._campaign()
        elif self.role is Role.LEADER and self.log.last_term < self.term:
            self._append([self._next_entry(EntryKind.NOOP)])

    def _propose(self, event: Propose) -> None:
        refusal = self._refusal(event.command)
        if refusal is not None:
            self._effects.append(Reject(event.token, refusal, refusal.value, self.leader))
            return
        entries = []
        if self.log.last_term < self.term:
            entries.append(self._next_entry(EntryKind.NOOP))
        entry = self._next_entry(EntryKind.COMMAND, event.command, offset=len(entries))
        entries.append(entry)
        self._waiting[entry.index] = _Waiting(event.token, len(event.command))
        self._waiting_bytes += len(event.command)
        self._append(entries)

    def _refusal(self, command: bytes) -> RejectReason | None:
        if self.role is not Role.LEADER:
            return RejectReason.NOT_LEADER
        if len(command) > self.limits.command_bytes:
            return RejectReason.TOO_LARGE
        full = len(self._waiting) >= self.limits.waiting_entries
        if full or self._waiting_bytes + len(command) > self.limits.waiting_bytes:
            return RejectReason.BUSY
        return None

    def _appended(self, event: Appended) -> None:
        if event.epoch != self._epoch:
            return
        if event.hard_state is not None:
            self._hard_state_saved(event.hard_state)
        if self.log.term_at(event.last_index) == event.last_term and event.last_index > self.durable_index:
            self.durable_index = event.last_index
            if self.role is Role.LEADER:
                self._match[self.member] = event.last_index
                self._advance_commit()

    def _hard_state_saved(self, saved: HardState) -> None:
        self._saved = saved
        if saved != self.hard_state:
            return
        self._hard_state_in_flight = False
        if self.role is Role.CANDIDATE and saved.voted_for == self.member:
            self._votes[self.member] = True
            self._count_votes()

    def _append_failed(self, event: AppendFailed) -> None:
        if event.epoch != self._epoch:
            return
        self._epoch += 1
        self._hard_state_in_flight = False
        self.log.truncate_after(event.last_index)
        self.durable_index = min(self.durable_index, event.last_index)
        reason = RejectReason.STORAGE_FULL if event.kind is FailureKind.FULL else RejectReason.STORAGE_FAILED
        if self.role is Role.LEADER and not self._alone():
            self._become_follower(self.hard_state, leader=None)
        else:
            self._reject_waiting(after=event.last_index, reason=reason, detail=event.detail)

    def _step(self, message: Message) -> None:
        """Take a message from another member: the rule of terms first, then the message's own handler."""
        if self.role is Role.RECOVERING or message.sender not in self.voters or message.term < self.term:
            return
        if message.term > self.term:
            self._become_follower(HardState(term=message.term), leader=None)
            self._save_hard_state()
        handler = self._HANDLERS.get(type(message))
        if handler is not None:
            handler(self, message)

    def _campaign(self) -> None:
        self.role = Role.CANDIDATE
        self.leader = None
        self.hard_state = HardState(term=self.term + 1, voted_for=self.member)
        self._votes = {}
        self._save_hard_state()

    def _count_votes(self) -> None:
        match quorum.tally(self.voters, self._votes):
            case quorum.Vote.WON:
                self._become_leader()
            case quorum.Vote.LOST:
                self._become_follower(self.hard_state, leader=None)

    def _become_leader(self) -> None:
        self.role = Role.LEADER
        self.leader = self.member
        self._match = {self.member: self.durable_index}
        self._effects.append(BecameLeader(self.term))
        self._append([self._next_entry(EntryKind.NOOP)])

    def _become_follower(self, hard_state: HardState, leader: str | None) -> None:
        led = self.role is Role.LEADER
        self.role = Role.FOLLOWER
        self.hard_state = hard_state
        self.leader = leader
        self._match = {}
        if led:
            self._effects.append(SteppedDown(self.term, leader))
            reason = RejectReason.LEADERSHIP_LOST
            self._reject_waiting(after=self.commit_index, reason=reason, detail=reason.value)

    def _advance_commit(self) -> None:
        index = quorum.committed_index(self.voters, self._match)
        if index <= self.commit_index or self.log.term_at(index) != self.term:
            return
        entries = self.log.slice(self.commit_index + 1, index)
        self.commit_index = index
        self.log.release(index)
        self._effects.append(Commit(entries, tuple(self._take_token(entry.index) for entry in entries)))

    def _take_token(self, index: int) -> Any:
        waiting = self._waiting.pop(index, None)
        if waiting is None:
            return None
        self._waiting_bytes -= waiting.size
        return waiting.token

    def _reject_waiting(self, after: int, reason: RejectReason, detail: str) -> None:
        for index in sorted(index for index in self._waiting if index > after):
            self._effects.append(Reject(self._take_token(index), reason, detail, self.leader))

    def _next_entry(self, kind: EntryKind, payload: bytes = b"", offset: int = 0) -> Entry:
        return Entry(self.log.last_index + 1 + offset, self.term, kind, payload)

    def _append(self, entries: list[Entry]) -> None:
        for entry in entries:
            self.log.append(entry)
        self._effects.append(Append(entries=tuple(entries), epoch=self._epoch))

    def _save_hard_state(self) -> None:
        self._hard_state_in_flight = True
        self._effects.append(Append(hard_state=self.hard_state, epoch=self._epoch))

    def _alone(self) -> bool:
        return self.voters == {self.member}
