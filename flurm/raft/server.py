"""The Raft server: one member's rules as a machine. ``handle(event)`` returns the effects; nothing else happens.

A member recovers, then it is a follower, a candidate or a leader. This file takes events in and hands each to the rule
that it belongs to; the rules are in ``election``, ``following``, ``replication``, ``membership``, ``snapshotting``,
``reads`` and ``transfer``, what they work on is in ``member``. Handlers note what has become known; ``_settle`` then
does, for a leader, whatever has become possible.

A member that is the only voter waits for nobody: it campaigns as soon as it has recovered, its own durable vote elects
it, its own durable append commits. That is the path every cluster takes, with a majority of one.

Where storage refuses an append, the entries never existed: a member that is alone drops them and refuses their
proposals at once; a leader whose entries may have been sent to others, and live on there, steps down, because it must
never give their places to others in the same term. The next epoch tells late answers about dropped entries from those
about new ones.

``Tick`` is all the time there is: an election timeout or a heartbeat happens with the first tick at or after
``next_deadline_ms``. Another event happens at the time that ``handle`` is told, or else at the last tick.
"""

from __future__ import annotations

from flurm.raft import election, following, machine, membership, reads, replication, snapshotting, transfer
from flurm.raft.effects import Effect, RejectReason
from flurm.raft.events import (
    Appended,
    AppendFailed,
    Campaign,
    ChangeMembership,
    ChunkFailed,
    ChunkStored,
    Event,
    FailureKind,
    MachineKnown,
    Propose,
    Read,
    Received,
    Recovered,
    SnapshotStored,
    SnapshotTaken,
    StateLags,
    Tick,
    TransferLeadership,
)
from flurm.raft.limits import Limits, Timing
from flurm.raft.log import LogView
from flurm.raft.member import Member, Waiting
from flurm.raft.messages import (
    AppendEntries,
    AppendReply,
    InstallSnapshot,
    Message,
    RequestVote,
    SnapshotReply,
    TimeoutNow,
    VoteReply,
)
from flurm.raft.records import Configuration, EntryKind, HardState, MemberStatus, Role, Status

__all__ = ["Limits", "RaftServer", "Timing"]


_RETRY_MS = 10
"""How long to leave storage alone that has refused something."""


class RaftServer(Member):
    """One member. Feed it ``Recovered`` first, then whatever happens, and carry out what it returns, in order.

    ``configuration`` holds where storage has neither a snapshot nor a configuration in the log; a member that is to be
    added to a cluster begins with an empty one. ``seed`` decides the election timeouts.
    """

    def __init__(
        self,
        member: str,
        configuration: Configuration,
        timing: Timing = Timing(),  # noqa: B008
        limits: Limits = Limits(),  # noqa: B008
        seed: int = 0,
    ) -> None:
        super().__init__(member, configuration, timing, limits, seed)

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
            waiting=len(self.waiting),
            learners=frozenset(self.configuration.learners),
            configuration=self.configuration,
            snapshot_index=self.snapshot_index,
            progress={
                name: MemberStatus(p.match_index, p.next_index, p.phase.value, self.now_ms - p.heard_ms)
                for name, p in self.progress.items()
            },
            longest_silence_ms=self.longest_silence_ms,
        )

    @property
    def next_deadline_ms(self) -> int | None:
        """When the next tick is needed; None where none is."""
        if self.role is Role.LEADER:
            return self.heartbeat_due_ms if self.progress else self.now_ms + _RETRY_MS if self._unsaved else None
        due = [self.now_ms + _RETRY_MS] if self._unsaved or self.sole_voter else []
        if self.election_due_ms is not None and election.may_stand(self):
            due.append(self.election_due_ms)
        if self.ballot is not None and self.ballot.asked:
            due.append(self.ballot.ask_again_ms)
        if self.transfer is not None:
            due.append(self.transfer.give_up_ms)
        return min(due, default=None)

    @property
    def _unsaved(self) -> bool:
        """Whether storage has refused what has to be stored all the same."""
        if self.role is Role.LEADER and self.log.last_term < self.term:
            return True
        return self.saved != self.hard_state and not self.hard_state_in_flight

    def handle(self, event: Event, now_ms: int | None = None) -> tuple[Effect, ...]:
        """Take one event in and return what is to be done, in order.

        ``now_ms`` is the time by the clock that the ticks show, where the caller knows it; else that of the last tick.
        """
        if now_ms is not None and now_ms > self.now_ms:
            self.now_ms = now_ms
        match event:
            case Propose():
                self._propose(event)
            case Appended():
                self._appended(event)
            case Received():
                self._step(event.message)
            case Tick():
                self._tick(event)
            case AppendFailed():
                self._append_failed(event)
            case Recovered():
                self._recovered(event)
            case _:
                self._administer(event)
        self._settle()
        effects, self.effects = tuple(self.effects), []
        return effects

    def _administer(self, event: Event) -> None:
        match event:
            case Read():
                reads.read(self, event)
            case ChangeMembership():
                membership.change(self, event)
            case TransferLeadership():
                transfer.begin(self, event)
            case Campaign() if self.role in (Role.FOLLOWER, Role.CANDIDATE):
                election.force(self)
            case StateLags(lags):
                self.state_lags = lags
            case MachineKnown():
                machine.known(self, event)
            case SnapshotTaken():
                snapshotting.taken(self, event)
            case ChunkStored():
                snapshotting.chunk_stored(self, event)
            case SnapshotStored():
                snapshotting.stored(self, event)
            case ChunkFailed():
                snapshotting.chunk_failed(self, event)

    def _settle(self) -> None:
        """Do what the event has made possible."""
        if self.role is Role.LEADER:
            if self.change is not None or self.outgoing or not self.votes:
                membership.advance(self)
            if self.reads:
                reads.answer(self)
            machine.advance(self)
        if self.transfer is not None:
            transfer.advance(self)
        if self.progress:
            replication.send_entries(self)

    def _recovered(self, event: Recovered) -> None:
        assert self.role is Role.RECOVERING, "a server recovers once"
        self.hard_state = self.saved = event.hard_state
        self.log = LogView(event.snapshot_index, event.snapshot_term)
        self.commit_index = self.snapshot_index = event.snapshot_index
        self.recover_log(event.entries, event.configuration)
        self.durable_index = self.log.last_index
        self.following.verified_index = self.commit_index
        assert self.log.last_term <= self.term, f"the log is in term {self.log.last_term}, the member in {self.term}"
        self.role = Role.FOLLOWER
        if self.sole_voter and not election.has_promised(self):
            election.campaign(self)

    def _tick(self, event: Tick) -> None:
        self.now_ms = max(self.now_ms, event.now_ms)
        self.save_term_first()
        if self.recovered_ms is None and self.role is not Role.RECOVERING:
            self.recovered_ms = self.now_ms
        transfer.tick(self)
        if self.role is not Role.LEADER:
            if self.role is not Role.RECOVERING:
                election.tick(self)
        elif self.alone:
            if self.log.last_term < self.term:
                self.append([self.next_entry(EntryKind.NOOP)])
        else:
            self._lead()

    def _lead(self) -> None:
        election.check_quorum(self)
        if self.role is Role.LEADER and self.now_ms >= self.heartbeat_due_ms:
            replication.heartbeat(self)
            transfer.tell_again(self)

    def _propose(self, event: Propose) -> None:
        refusal = self._refusal(event)
        if refusal is not None:
            self.reject(event.token, refusal)
            return
        entries = []
        if self.log.last_term < self.term:
            entries.append(self.next_entry(EntryKind.NOOP))
        entry = self.next_entry(event.kind, event.command, offset=len(entries))
        entries.append(entry)
        self.waiting[entry.index] = Waiting(event.token, len(event.command))
        self.waiting_bytes += len(event.command)
        self.append(entries)

    def _refusal(self, event: Propose) -> RejectReason | None:
        if self.role is not Role.LEADER:
            return RejectReason.NOT_LEADER
        if self.transfer is not None:
            return RejectReason.TRANSFERRING
        if event.kind not in (EntryKind.COMMAND, EntryKind.MACHINE_VERSION):
            return RejectReason.INVALID
        if len(event.command) > self.limits.command_bytes:
            return RejectReason.TOO_LARGE
        full = len(self.waiting) >= self.limits.waiting_entries
        if full or self.waiting_bytes + len(event.command) > self.limits.waiting_bytes:
            return RejectReason.BUSY
        return None

    def _appended(self, event: Appended) -> None:
        if event.epoch != self.epoch:
            return
        if event.hard_state is not None:
            self._hard_state_saved(event.hard_state)
        if event.last_index > self.durable_index and self.log.term_at(event.last_index) == event.last_term:
            self.durable(event.last_index)
            if self.role is Role.LEADER:
                replication.advance_commit(self)
            else:
                following.stored(self)

    def _hard_state_saved(self, saved: HardState) -> None:
        self.saved = saved
        if saved == self.hard_state:
            self.hard_state_in_flight = False
            election.vote_saved(self)
            following.term_saved(self)

    def _append_failed(self, event: AppendFailed) -> None:
        if event.epoch != self.epoch:
            return
        self.epoch += 1
        self.hard_state_in_flight = False
        unseen = self.alone and self.sent_index <= event.last_index
        self.lose_unstored(event.last_index, poisoned=event.kind is FailureKind.POISONED)
        if unseen:
            full = event.kind is FailureKind.FULL
            reason = RejectReason.STORAGE_FULL if full else RejectReason.STORAGE_FAILED
            self.reject_waiting(after=event.last_index, reason=reason, detail=event.detail)
            return
        if self.role is Role.LEADER:
            self.follow(None)
        election.stand_back(self)

    def _step(self, message: Message) -> None:
        """Take a message from another member: the rule of terms first, then the message's own rule."""
        if self.role is Role.RECOVERING or message.sender == self.member:
            return
        if isinstance(message, RequestVote):
            if message.pre:
                election.answer_beforehand(self, message)
                return
            if message.term > self.term and not election.takes_part(self, message):
                return
        elif isinstance(message, VoteReply) and message.pre and message.granted:
            election.vote_reply(self, message)
            return
        if message.term < self.term:
            self._correct(message)
            return
        if message.term > self.term:
            self.follow_in(message.term)
        self._dispatch(message)

    def _dispatch(self, message: Message) -> None:
        match message:
            case AppendEntries():
                following.append_entries(self, message)
            case AppendReply():
                replication.append_reply(self, message)
            case RequestVote():
                election.request_vote(self, message)
            case VoteReply():
                election.vote_reply(self, message)
            case InstallSnapshot():
                snapshotting.install(self, message)
            case SnapshotReply():
                snapshotting.reply(self, message)
            case TimeoutNow():
                election.timeout_now(self, message)

    def _correct(self, message: Message) -> None:
        """Tell a leader or candidate of an older term that its time is over; else it could wait for ever."""
        match message:
            case AppendEntries() | InstallSnapshot():
                self.send(message.sender, AppendReply(self.member, self.term, accepted=False, index=0))
            case RequestVote():
                self.send(message.sender, VoteReply(self.member, self.term, granted=False))
