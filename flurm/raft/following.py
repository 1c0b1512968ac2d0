"""A follower's side of replication (Raft paper, section 5.3).

The leader's entries go to disk as they come; the answer goes out when they are durable, and only then do they count.
What the follower may say and apply follows from three indexes: up to ``verified_index`` its log is the leader's, up to
``durable_index`` it is on disk, up to ``leader_commit`` it is agreed on. It answers for the smaller of the first two
and applies up to the smallest of all three.

A heartbeat is answered at once, whatever the disk does, so that a slow disk does not look like a lost member. But no
answer goes out before the term in which it is given is durable: after a crash the member would listen to older leaders
again.
"""

from __future__ import annotations

from flurm.raft.log import LogView
from flurm.raft.member import Following, Member
from flurm.raft.messages import AppendEntries, AppendReply
from flurm.raft.records import Entry, Role


def hear(me: Member, leader: str) -> None:
    """The leader of the present term has spoken: wait for it, and for nobody else."""
    assert me.role is not Role.LEADER, f"{leader} and {me.member} both lead in term {me.term}"
    if me.role is not Role.FOLLOWER or me.leader != leader or me.ballot is not None:
        me.follow(leader)
        me.longest_silence_ms = 0
    elif me.heard_ms is not None:
        me.longest_silence_ms = max(me.longest_silence_ms, me.now_ms - me.heard_ms)
    me.heard_ms = me.now_ms
    me.arm_election()


def append_entries(me: Member, message: AppendEntries) -> None:
    """Take entries over where they fit, say where they may fit otherwise."""
    hear(me, message.sender)
    following = me.following
    following.round = max(following.round, message.round)
    following.leader_commit = max(following.leader_commit, message.commit_index)
    following.postponed = None
    if me.installing:
        acknowledge(me)
    elif not _matches(me, message.previous_index, message.previous_term):
        _refuse(me, message)
    else:
        _take(me, message, following)


def _matches(me: Member, index: int, term: int) -> bool:
    """Whether the logs agree up to ``index``; what is committed agrees with every leader's (leader completeness)."""
    return index <= me.commit_index or me.log.term_at(index) == term


def _take(me: Member, message: AppendEntries, following: Following) -> None:
    missing = _missing(me, message.entries)
    if missing and (missing[0].index <= me.log.last_index or me.disk_holds_more):
        if me.storage_is_busy():
            following.postponed = message
            acknowledge(me)
            return
        if missing[0].index <= me.log.last_index:
            me.cut_log(missing[0].index)
    if missing:
        me.append(missing)
    following.verified_index = max(following.verified_index, message.previous_index + len(message.entries))
    advance(me)
    if not missing:
        acknowledge(me)


def _missing(me: Member, entries: tuple[Entry, ...]) -> list[Entry]:
    """What follows the part of ``entries`` that the log has already."""
    for position, entry in enumerate(entries):
        if entry.index > me.commit_index and me.log.term_at(entry.index) != entry.term:
            return list(entries[position:])
    return []


def _refuse(me: Member, message: AppendEntries) -> None:
    index = me.log.newest_not_above(message.previous_index, message.previous_term)
    term = me.log.term_at(index) or 0
    me.send(message.sender, AppendReply(me.member, me.term, False, index, term, me.following.round, me.machines))


def stored(me: Member) -> None:
    """More of the log is durable: answer for it, apply what may be, and take what had to wait for it."""
    advance(me)
    postponed = me.following.postponed
    if postponed is not None and not me.storage_is_busy():
        me.following.postponed = None
        _take(me, postponed, me.following)
    else:
        acknowledge(me)


def term_saved(me: Member) -> None:
    """The present term is durable: give the answer that waited for it."""
    if me.following.answer_due:
        acknowledge(me)


def acknowledge(me: Member) -> None:
    """Tell the leader how far the log is its own and durable."""
    if me.leader is None or me.leader == me.member:
        return
    me.following.answer_due = me.saved.term != me.term
    if not me.following.answer_due:
        index = min(me.following.verified_index, me.durable_index)
        reply = AppendReply(me.member, me.term, True, index, round=me.following.round, machines=me.machines)
        me.send(me.leader, reply)


def advance(me: Member) -> None:
    """Commit what the leader says is committed, as far as it is here and on disk."""
    index = min(me.following.leader_commit, me.following.verified_index, me.durable_index)
    if index > me.commit_index:
        me.commit(index)


def replace_log(me: Member, index: int, term: int) -> None:
    """The log begins anew after a snapshot that ends at (``index``, ``term``)."""
    me.log = LogView(index, term)
    me.commit_index = me.durable_index = me.following.verified_index = index
    me.replacing_from, me.disk_holds_more = None, False
