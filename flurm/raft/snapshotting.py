"""Snapshots: what the log may forget, and how a member gets one that needs what has been forgotten.

Committed entries stay in memory until storage holds a snapshot that covers them, and ``kept_entries`` before it, so
that a member that is a little behind gets entries (Raft paper, section 7). One that is further behind gets the newest
snapshot, a piece at a time: the leader asks for the piece to be sent, the member has it stored and names the offset up
to which it is durable, where the leader goes on. A member that alone is the cluster holds nothing that is committed.

A member takes a snapshot only where its own log does not hold the entry at which the snapshot ends. Otherwise all it
contains is here already, and is committed. So whatever log there is never belongs after an installed snapshot.
"""

from __future__ import annotations

from flurm.raft import following, replication
from flurm.raft.effects import Restore, StoreChunk
from flurm.raft.events import ChunkFailed, ChunkStored, SnapshotStored, SnapshotTaken
from flurm.raft.member import Member, Receiving
from flurm.raft.messages import InstallSnapshot, SnapshotReply
from flurm.raft.progress import Phase
from flurm.raft.records import Role


def taken(me: Member, event: SnapshotTaken) -> None:
    """Storage holds a newer snapshot: forget what it covers, except what slow members may need.

    Nor is anything forgotten that follows a snapshot on its way to a member that answers: it would need another one.
    """
    if event.index <= me.snapshot_index or event.index > me.commit_index:
        return
    me.snapshot_index = event.index
    me.forget_configurations(event.index)
    being_sent = [
        progress.snapshot.index
        for progress in me.progress.values()
        if progress.snapshot and replication.answers(me, progress)
    ]
    upto = min([event.index - me.limits.kept_entries, *being_sent])
    if not me.alone and upto > me.log.base_index:
        me.log.release(upto)


def reply(me: Member, message: SnapshotReply) -> None:
    """A leader: a member has stored a piece, or the whole."""
    progress = me.progress.get(message.sender)
    if me.role is not Role.LEADER or progress is None:
        return
    progress.heard_ms = me.now_ms
    progress.round = max(progress.round, message.round)
    sent = progress.snapshot
    if message.done:
        news = progress.matched(message.index)
        if progress.phase is Phase.SNAPSHOT and progress.match_index >= me.log.base_index:
            progress.replicate()
        if news:
            replication.advance_commit(me)
    elif sent is not None and message.index >= sent.index:
        sent.index, sent.offset, sent.in_flight = message.index, message.offset, False


def install(me: Member, message: InstallSnapshot) -> None:
    """A follower: a piece of the leader's snapshot has come."""
    following.hear(me, message.sender)
    me.following.round = max(me.following.round, message.round)
    if _is_here(me, message.index, message.index_term):
        me.following.verified_index = max(me.following.verified_index, message.index)
        me.following.leader_commit = max(me.following.leader_commit, message.index)
        following.advance(me)
        _answer(me, message.index, message.offset, done=True)
    elif me.receiving is None or not me.receiving.storing:
        _take(me, message)


def _is_here(me: Member, index: int, term: int) -> bool:
    return index <= me.commit_index or (index <= me.durable_index and me.log.term_at(index) == term)


def _take(me: Member, message: InstallSnapshot) -> None:
    """Have the piece stored where it follows what is there; else say where to go on."""
    receiving = me.receiving
    origin = (message.sender, message.index, message.index_term)
    if receiving is None or (receiving.sender, receiving.index, receiving.term) != origin:
        receiving = me.receiving = Receiving(*origin)
    if message.offset != receiving.stored:
        _answer(me, receiving.index, receiving.stored)
        return
    me.save_term_first()
    if message.done and (me.storage_is_busy() or me.saved.term < me.term):
        return
    receiving.storing, receiving.installing = True, message.done
    piece = (message.index, message.index_term, message.configuration, message.offset, message.data, message.done)
    me.effects.append(StoreChunk(*piece))


def chunk_stored(me: Member, event: ChunkStored) -> None:
    """A piece is durable: ask for the next one."""
    receiving = me.receiving
    if receiving is None or receiving.index != event.index or not receiving.storing or receiving.installing:
        return
    receiving.storing, receiving.stored = False, event.offset
    _answer(me, event.index, event.offset)


def chunk_failed(me: Member, event: ChunkFailed) -> None:
    """A piece was not stored. The leader sends again in its own time and is told then where to go on."""
    receiving = me.receiving
    if receiving is None or receiving.index != event.index:
        return
    receiving.storing = receiving.installing = False
    receiving.stored = event.offset


def stored(me: Member, event: SnapshotStored) -> None:
    """The snapshot is whole and has replaced the log on disk: do the same here."""
    assert me.installing, f"no snapshot was to be stored, yet one is that ends at {event.index}"
    me.receiving = None
    me.snapshot_index = event.index
    following.replace_log(me, event.index, event.term)
    me.reset_configuration(event.index, event.configuration)
    me.effects.append(Restore(event.index))
    _answer(me, event.index, 0, done=True)


def _answer(me: Member, index: int, offset: int, done: bool = False) -> None:
    """Tell the leader; as with entries, not before the term is durable, and then its next piece asks again."""
    if me.leader is not None and me.leader != me.member and me.saved.term == me.term:
        me.send(me.leader, SnapshotReply(me.member, me.term, index, offset, done, me.following.round))
