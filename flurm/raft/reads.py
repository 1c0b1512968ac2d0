"""Reads of what is current, without an entry in the log: read-index and lease reads (Raft thesis, section 6.4).

A leader may have been replaced without knowing it. So a read waits until a majority has answered a heartbeat that was
sent after the read came, and until an entry of the leader's own term is committed, because only then does the leader
know everything that is. Reads that come while a heartbeat is under way share the next one.

Where it has been said how far clocks may drift apart (``Timing.clock_drift_bound``), a read need not wait for a
heartbeat of its own. Whoever answers one takes no part in an election for the shortest election timeout (``election``).
So when a majority has answered, nobody else is elected for that long after it was sent; for somewhat less by the
leader's own clock, which may be slow: that is its lease, and it answers at once. It has none

- once it has told another member to take over: that one is elected at once, now or when the message arrives late;
- against an administrator's `Campaign`, which members with leases therefore take only when their promise is over.
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
        if len(me.reads) == 1 and not is_sure(me):
            replication.heartbeat(me)


def answer(me: Member) -> None:
    """Answer the reads whose heartbeat a majority has answered."""
    if not replication.has_committed(me):
        return
    confirmed = me.round + 1 if is_sure(me) else confirmed_round(me)
    ready = [read for read in me.reads if read.round <= confirmed]
    me.reads = me.reads[len(ready) :]
    me.effects.extend(ReadReady(read.token, me.commit_index) for read in ready)
    if ready and me.reads and me.reads[0].round > me.round:
        replication.heartbeat(me)


def is_sure(me: Member) -> bool:
    """Whether nobody else can lead at this moment: this member decides alone, or has a lease."""
    return me.sole_voter or has_lease(me)


def has_lease(me: Member) -> bool:
    """Whether the newest heartbeat that a majority has answered was sent so lately that nobody else can be elected."""
    lease_ms = me.timing.lease_ms
    if not lease_ms or me.handed_over_in == me.term:
        return False
    confirmed = confirmed_round(me)
    sent_ms = next((at_ms for number, at_ms in reversed(me.rounds_sent) if number <= confirmed), None)
    return sent_ms is not None and me.now_ms - sent_ms < lease_ms


def confirmed_round(me: Member) -> int:
    """The newest heartbeat that a majority has answered."""
    rounds = {name: progress.round for name, progress in me.progress.items()}
    rounds[me.member] = me.round
    return quorum.joint_index(me.voters, me.outgoing, rounds)
