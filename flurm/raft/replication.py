"""A leader's side of replication (Raft paper, sections 5.3 and 5.4.2).

Entries are sent before they are durable here and streamed ahead of the answers, as far as the window allows; while it
is full, what is proposed gathers and goes out as one message. A heartbeat refers to the last entry that was sent, so a
member that missed some refuses it, and the leader steps back to where that member says their logs may meet. Members
that do not answer get empty messages only.

An entry is committed by count only where its term is the leader's own; what earlier terms left behind commits along.
"""

from __future__ import annotations

from flurm.raft import quorum
from flurm.raft.effects import BecameLeader, SendChunk, TakeSnapshot
from flurm.raft.member import Member
from flurm.raft.messages import AppendEntries, AppendReply
from flurm.raft.progress import Phase, Progress, SnapshotSent, size_of
from flurm.raft.records import Entry, EntryKind, Role


def become_leader(me: Member) -> None:
    """Open the term with a no-op, whose commit says that everything before it is committed."""
    me.role = Role.LEADER
    me.leader = me.member
    me.ballot = None
    me.progress = {}
    me.rounds_sent.clear()
    me.snapshot_wanted = me.sent_index = me.machine_proposed = 0
    me.heartbeat_due_ms = me.now_ms + me.timing.heartbeat_ms
    follow_membership(me)
    me.effects.append(BecameLeader(me.term))
    me.append([me.next_entry(EntryKind.NOOP)])


def follow_membership(me: Member) -> None:
    """Keep progress of everybody in the configuration in force; who is no longer in it is told so for a while."""
    for name in sorted(me.others - me.progress.keys()):
        me.progress[name] = Progress(next_index=me.log.last_index + 1, heard_ms=me.now_ms)
    for name, progress in me.progress.items():
        if name in me.others:
            progress.leaving_until_ms = None
        elif progress.leaving_until_ms is None:
            progress.leaving_until_ms = me.now_ms + 2 * me.timing.election_ms[1]


def heartbeat(me: Member) -> None:
    """Say that this member leads, and send again what may have been lost."""
    me.round += 1
    if me.timing.lease_ms:
        _note_round(me)
    me.heartbeat_due_ms = me.now_ms + me.timing.heartbeat_ms
    gone = [name for name, progress in me.progress.items() if (progress.leaving_until_ms or me.now_ms + 1) <= me.now_ms]
    for name in gone:
        del me.progress[name]
    for name, progress in me.progress.items():
        progress.probing = False
        if progress.phase is Phase.REPLICATE and progress.next_index <= me.log.base_index:
            # What it would have to refuse to show that something was lost is gone.
            progress.await_snapshot(me.snapshot_index)
        if progress.phase is Phase.REPLICATE:
            _send(me, name, progress.next_index - 1, ())
        elif progress.phase is Phase.SNAPSHOT:
            _send(me, name, 0, ())
            _retry_chunk(me, progress)
        elif not answers(me, progress):
            _send(me, name, progress.next_index - 1, ())
            progress.probing = True


def _note_round(me: Member) -> None:
    while me.rounds_sent and me.now_ms - me.rounds_sent[0][1] >= me.timing.lease_ms:
        me.rounds_sent.popleft()
    me.rounds_sent.append((me.round, me.now_ms))


def send_entries(me: Member) -> None:
    """Send every member what it lacks, as far as its window allows."""
    for name, progress in me.progress.items():
        if progress.phase is Phase.PROBE:
            _probe(me, name, progress)
        if progress.phase is Phase.REPLICATE:
            _stream(me, name, progress)
            _tell_commit(me, name, progress)
        if progress.phase is Phase.SNAPSHOT:
            send_chunk(me, name, progress)


def _probe(me: Member, name: str, progress: Progress) -> None:
    if progress.probing:
        return
    if progress.next_index <= me.log.base_index:
        progress.await_snapshot(me.snapshot_index)
        return
    progress.probing = True
    _send(me, name, progress.next_index - 1, _batch(me, progress.next_index))


def _stream(me: Member, name: str, progress: Progress) -> None:
    while progress.next_index <= me.log.last_index and progress.has_room(me.limits):
        if progress.next_index <= me.log.base_index:
            progress.await_snapshot(me.snapshot_index)
            return
        entries = _batch(me, progress.next_index)
        _send(me, name, progress.next_index - 1, entries)
        progress.sent(entries[-1].index, size_of(entries))


def _tell_commit(me: Member, name: str, progress: Progress) -> None:
    """Say at once what has been committed, unless entries are under way: more of them, or an answer, follow soon.

    A member that handed a client's request on to this leader answers when it has applied what came of it.
    """
    if progress.told_commit < me.commit_index and not progress.window and progress.next_index > me.log.base_index:
        _send(me, name, progress.next_index - 1, ())


def _batch(me: Member, first: int) -> tuple[Entry, ...]:
    return me.log.batch(first, me.limits.message_entries, me.limits.message_bytes)


def _send(me: Member, name: str, previous: int, entries: tuple[Entry, ...]) -> None:
    """Send ``entries`` after ``previous``; where that is no longer known an empty message after the beginning."""
    term = me.log.term_at(previous)
    if term is None:
        assert not entries
        previous, term = 0, 0
    if entries:
        me.sent_index = max(me.sent_index, entries[-1].index)
    me.progress[name].told_commit = me.commit_index
    me.send(name, AppendEntries(me.member, me.term, previous, term, entries, me.commit_index, me.round))


def answers(me: Member, progress: Progress) -> bool:
    """Whether a member has been heard of lately."""
    return me.now_ms - progress.heard_ms < me.timing.election_ms[1]


def append_reply(me: Member, reply: AppendReply) -> None:
    """A member has taken entries, or says that they do not fit."""
    progress = me.progress.get(reply.sender)
    if me.role is not Role.LEADER or progress is None:
        return
    progress.heard_ms = me.now_ms
    progress.round = max(progress.round, reply.round)
    progress.machines = reply.machines
    if not reply.accepted:
        _step_back(me, progress, reply)
        return
    news = progress.matched(reply.index)
    if progress.phase is Phase.PROBE or (progress.phase is Phase.SNAPSHOT and reply.index >= me.log.base_index):
        progress.replicate()
    if news:
        advance_commit(me)


def _step_back(me: Member, progress: Progress, reply: AppendReply) -> None:
    """Go on where the logs may meet: the newest entry that is no newer in term than the member's hint."""
    if progress.phase is Phase.SNAPSHOT or reply.index < progress.match_index:
        return
    meet = me.log.newest_not_above(reply.index, reply.index_term)
    if (me.log.term_at(meet) or 0) > reply.index_term:
        meet -= 1
    next_index = min(meet, reply.index) + 1
    if next_index < progress.next_index:
        progress.probe(next_index)


def advance_commit(me: Member) -> None:
    """Commit what a majority holds durably, this member among those that do (section 5.4.2)."""
    match = {name: progress.match_index for name, progress in me.progress.items()}
    match[me.member] = me.durable_index
    index = min(quorum.joint_index(me.voters, me.outgoing, match), me.durable_index)
    if index > me.commit_index and may_commit(me, index):
        me.commit(index)


def may_commit(me: Member, index: int) -> bool:
    """Whether the entry at ``index`` may be committed by counting who holds it: only one of the own term."""
    return me.log.term_at(index) == me.term


def has_committed(me: Member) -> bool:
    """Whether an entry of the own term is committed: only then does a leader know all that is."""
    return me.log.term_at(me.commit_index) == me.term


def send_chunk(me: Member, name: str, progress: Progress) -> None:
    """Send the next piece of the newest snapshot; have one taken first where it ends before the entries held begin."""
    sent = progress.snapshot
    assert sent is not None
    if sent.index < me.log.base_index:
        if me.snapshot_index < me.log.base_index:
            _want_snapshot(me)
            return
        sent = progress.snapshot = SnapshotSent(me.snapshot_index)
    if not sent.in_flight and answers(me, progress):
        sent.in_flight, sent.sent_ms = True, me.now_ms
        me.effects.append(SendChunk(name, me.term, sent.index, sent.offset, me.round))


def _want_snapshot(me: Member) -> None:
    if me.snapshot_wanted < me.log.base_index:
        me.snapshot_wanted = me.log.base_index
        me.effects.append(TakeSnapshot(me.log.base_index))


def _retry_chunk(me: Member, progress: Progress) -> None:
    sent = progress.snapshot
    if sent is not None and sent.in_flight and me.now_ms - sent.sent_ms >= me.timing.election_ms[1]:
        sent.in_flight = False
