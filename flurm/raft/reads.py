"""Read-index reads (Raft thesis, section 6.4): what is read is current, without an entry in the log.

A leader may have been replaced without knowing it. So a read waits until a majority has answered a heartbeat that was
sent after the read came, and until an entry of the leader's own term is committed, because only then does the leader
know everything that is. Reads that come while a heartbeat is under way share the next one.
"""

from __future__ import annotations

from flurm.raft import quorum, replication
from flurm.raft.effects import ReadReady, RejectReason
from flurm.raft.events import Read
from flurm.raft.member import Member, PendingRead
from flurm.raft.records import Role


def read(me: Member, event: Read) -> None:
    """Take a read in, or refuse it."""
    if me.role is not Role.LEADER:
        me.reject(event.token, RejectReason.NOT_LEADER)
    elif len(me.reads) >= me.limits.waiting_reads:
        me.reject(event.token, RejectReason.BUSY)
    else:
        me.reads.append(PendingRead(me.round + 1, event.token))
        if len(me.reads) == 1 and not me.sole_voter:
            replication.heartbeat(me)


def answer(me: Member) -> None:
    """Answer the reads whose heartbeat a majority has answered."""
    if not replication.has_committed(me):
        return
    confirmed = me.round + 1 if me.sole_voter else confirmed_round(me)
    ready = [read for read in me.reads if read.round <= confirmed]
    me.reads = me.reads[len(ready) :]
    me.effects.extend(ReadReady(read.token, me.commit_index) for read in ready)
    if ready and me.reads and me.reads[0].round > me.round:
        replication.heartbeat(me)


def confirmed_round(me: Member) -> int:
    """The newest heartbeat that a majority has answered."""
    rounds = {name: progress.round for name, progress in me.progress.items()}
    rounds[me.member] = me.round
    return quorum.joint_index(me.voters, me.outgoing, rounds)
