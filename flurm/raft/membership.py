"""Changing who belongs to the cluster, by joint consensus (Raft paper, section 6; thesis, chapter 4).

A change is one to three entries, each appended once the one before it is committed: first new voters are learners,
until they have nearly the whole log; then old and new voters decide together; then the new ones alone. A configuration
is in force on every member as soon as it is in its log, and no more where it is cut off again. Where only learners or
addresses change, one entry is enough.

Whoever leads finishes a joint configuration that it finds; a change that had only got as far as learners ends with its
leader, and they stay learners. A leader that does not belong to the new voters leads until these have taken over the
final configuration, tells them so, names a successor and steps down.
"""

from __future__ import annotations

import msgspec

from flurm.raft import machine, replication, transfer
from flurm.raft.effects import RejectReason
from flurm.raft.events import ChangeMembership
from flurm.raft.member import Change, Member, Waiting
from flurm.raft.messages import TimeoutNow
from flurm.raft.records import Configuration, EntryKind, Role


def change(me: Member, event: ChangeMembership) -> None:
    """Begin a change, or say why not."""
    reason, detail = _refusal(me, event)
    if reason is not None:
        me.reject(event.token, reason, detail)
        return
    me.change = Change(event, me.configuration, me.now_ms + me.timing.catch_up_ms)
    target = _target(me, event)
    if _behind(me, target):
        learners = {*me.configuration.learners, *target.learners, *target.voters} - me.voters
        _append(
            me, msgspec.structs.replace(me.configuration, learners=_names(learners), addresses=_addresses(me, event))
        )
    else:
        _decide_together(me, target)


def _refusal(me: Member, event: ChangeMembership) -> tuple[RejectReason | None, str]:
    if me.role is not Role.LEADER:
        return RejectReason.NOT_LEADER, ""
    if me.transfer is not None:
        return RejectReason.TRANSFERRING, ""
    if me.change is not None or me.configuration.outgoing or not _newest_is_committed(me):
        return RejectReason.BUSY, "another change of membership is under way"
    if not replication.has_committed(me):
        return RejectReason.BUSY, "the leader is new and does not know yet what is committed"
    problem = _problem(me, event)
    return (RejectReason.INVALID, problem) if problem else (None, "")


def _problem(me: Member, event: ChangeMembership) -> str:
    """What is wrong with the configuration asked for; empty where nothing is."""
    voters, learners = set(event.voters), set(event.learners)
    if not voters:
        return "a cluster needs at least one voter"
    if "" in voters | learners:
        return "a member needs a name"
    if len(voters) < len(event.voters) or len(learners) < len(event.learners):
        return "a member is named twice"
    if voters & learners:
        return f"{min(voters & learners)} cannot be voter and learner at once"
    if event.addresses.keys() - voters - learners:
        return f"{min(event.addresses.keys() - voters - learners)} has an address and is neither voter nor learner"
    addresses = _addresses(me, event)
    unreachable = (voters | learners) - addresses.keys()
    if addresses and unreachable:
        return f"nobody knows where {min(unreachable)} listens: give its address"
    if _target(me, event) == me.configuration:
        return "the cluster has these members already"
    return _unfit(me, event)


def _unfit(me: Member, event: ChangeMembership) -> str:
    """Which new voter cannot do the state machine's version, as far as they have said; empty where none."""
    return next((why for name in sorted(set(event.voters) - me.voters) if (why := machine.unfit(me, name))), "")


def _target(me: Member, event: ChangeMembership) -> Configuration:
    members = {*event.voters, *event.learners}
    addresses = {name: address for name, address in _addresses(me, event).items() if name in members}
    return Configuration(_names(event.voters), _names(event.learners), (), addresses)


def _addresses(me: Member, event: ChangeMembership) -> dict[str, str]:
    return {**me.configuration.addresses, **event.addresses}


def _names(names: set[str] | tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(names))


def _behind(me: Member, target: Configuration) -> list[str]:
    """The new voters that lack too much of the log, or what says that they belong to the cluster."""
    enough = max(me.log.last_index - me.limits.learner_lag, me.configurations[-1][0], 1)
    newcomers = set(target.voters) - me.voters
    return sorted(name for name in newcomers if name not in me.progress or me.progress[name].match_index < enough)


def advance(me: Member) -> None:
    """After any event: take the next step where the one before is committed."""
    if not _newest_is_committed(me) or not replication.has_committed(me):
        return
    if me.configuration.outgoing:
        _decide_alone(me)
    elif me.change is not None:
        _await_learners(me, me.change)
    elif not me.votes:
        _leave(me)


def _newest_is_committed(me: Member) -> bool:
    return me.configurations[-1][0] <= me.commit_index


def _await_learners(me: Member, change: Change) -> None:
    target = _target(me, change.request)
    behind, unfit = _behind(me, target), _unfit(me, change.request)
    if unfit:
        _give_up(me, change, unfit)
    elif not behind:
        _decide_together(me, target)
    elif me.now_ms >= change.give_up_ms:
        _give_up(me, change, f"{', '.join(behind)} did not get the log within {me.timing.catch_up_ms} ms")


def _give_up(me: Member, change: Change, why: str) -> None:
    me.reject(change.request.token, RejectReason.INVALID, f"given up: {why}")
    me.change = None
    _append(me, change.before)


def _decide_together(me: Member, target: Configuration) -> None:
    """The joint configuration, or the final one at once where the voters stay the same."""
    if me.voters == set(target.voters):
        _conclude(me, target)
        return
    addresses = {**me.configuration.addresses, **target.addresses}
    _append(me, msgspec.structs.replace(target, outgoing=me.configuration.voters, addresses=addresses))


def _decide_alone(me: Member) -> None:
    """The final configuration follows a joint one, whoever began it."""
    joint = me.configuration
    members = {*joint.voters, *joint.learners}
    addresses = {name: address for name, address in joint.addresses.items() if name in members}
    _conclude(me, msgspec.structs.replace(joint, outgoing=(), addresses=addresses))


def _conclude(me: Member, final: Configuration) -> None:
    if me.change is not None:
        me.waiting[me.log.last_index + 1] = Waiting(me.change.request.token, 0)
        me.change = None
    _append(me, final)


def _append(me: Member, configuration: Configuration) -> None:
    me.append([me.next_entry(EntryKind.CONFIGURATION, configuration.encode())])
    replication.follow_membership(me)


def _leave(me: Member) -> None:
    """This member is no voter any more, and the others know: name a successor and follow."""
    replication.heartbeat(me)
    replication.send_entries(me)
    successor = transfer.best_successor(me)
    if successor is not None:
        me.send(successor, TimeoutNow(me.member, me.term))
    me.follow(None)
