"""Handing leadership over (Raft thesis, section 3.10).

The leader takes no more proposals, waits until the target has the whole log, and tells it to stand at once. The target
then has the best log and no election timeout to wait for. Where it has not taken over within an election timeout, the
leader goes on as before.
"""

from __future__ import annotations

from flurm.raft import replication
from flurm.raft.effects import RejectReason, TransferEnded
from flurm.raft.events import TransferLeadership
from flurm.raft.member import Member, Transfer
from flurm.raft.messages import TimeoutNow
from flurm.raft.records import Role


def begin(me: Member, event: TransferLeadership) -> None:
    """Begin a transfer, or say why not."""
    if me.role is not Role.LEADER:
        me.reject(event.token, RejectReason.NOT_LEADER)
        return
    if me.transfer is not None:
        me.reject(event.token, RejectReason.BUSY, f"leadership is already being handed to {me.transfer.target}")
        return
    target = event.to if event.to is not None else best_successor(me)
    problem = _problem(me, target)
    if problem is not None or target is None:
        me.reject(event.token, RejectReason.INVALID, problem or "")
        return
    me.transfer = Transfer(target, event.token, me.term, me.now_ms + me.timing.election_ms[1])


def _problem(me: Member, target: str | None) -> str | None:
    if target is None:
        return "no other voter could lead"
    if target == me.member:
        return f"{target} leads already"
    if target not in me.configuration.members:
        return f"{target} does not belong to the cluster"
    return None if target in me.voters else f"{target} is not a voter and cannot lead"


def best_successor(me: Member) -> str | None:
    """The other voter that has most of the log, of those that answer; the one heard last among equals."""
    voters = [name for name in sorted(me.voters & me.progress.keys()) if replication.answers(me, me.progress[name])]
    return max(voters, key=lambda name: (me.progress[name].match_index, me.progress[name].heard_ms), default=None)


def tick(me: Member) -> None:
    """Give the transfer up where it has taken too long."""
    if me.transfer is not None and me.now_ms >= me.transfer.give_up_ms:
        _end(me, me.transfer)


def tell_again(me: Member) -> None:
    """What told the target may have been lost."""
    if me.transfer is not None:
        me.transfer.told = False


def advance(me: Member) -> None:
    """After any event: tell the target once it has everything; the transfer is over when somebody else leads."""
    transfer = me.transfer
    assert transfer is not None
    if me.role is Role.LEADER and me.term == transfer.term:
        progress = me.progress.get(transfer.target)
        if not transfer.told and progress is not None and progress.match_index == me.log.last_index:
            transfer.told = True
            me.handed_over_in = me.term
            me.send(transfer.target, TimeoutNow(me.member, me.term))
    elif me.leader is not None:
        _end(me, transfer)


def _end(me: Member, transfer: Transfer) -> None:
    me.transfer = None
    me.effects.append(TransferEnded(transfer.token, me.leader))
