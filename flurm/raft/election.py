"""Elections: who leads in a term (Raft paper, sections 5.2 and 5.4.1), and who does not disturb a leader.

A member that misses a leader first asks whether it could win (pre-vote, Raft thesis, section 9.6). Only when a majority
says so does it take on a new term, make its vote for itself durable and ask for votes. So a member that was cut off, or
is no longer in the cluster, does not raise terms.

A member that has heard of a leader within the shortest election timeout takes no part in an election (thesis, section
4.2.3), unless that leader hands over. A leader that no majority has answered for an election timeout steps down
(check-quorum, section 6.2), so that its clients look elsewhere and others may elect.

With leases (``reads``) the second is a promise that leaders count on, and nothing but such a leader's own word breaks
it: no crash, no newer term, no administrator.
"""

from __future__ import annotations

from flurm.raft import quorum, replication
from flurm.raft.member import Ballot, Following, Member
from flurm.raft.messages import RequestVote, TimeoutNow, VoteReply
from flurm.raft.records import HardState, Role


def tick(me: Member) -> None:
    """A member that does not lead: begin or repeat an election where it is time."""
    if me.election_due_ms is None:
        me.arm_election()
    if me.sole_voter and not me.installing:
        if me.role is Role.FOLLOWER and not has_promised(me):
            campaign(me)
    elif me.now_ms >= (me.election_due_ms or 0):
        me.arm_election()
        ask_beforehand(me)
    elif me.ballot is not None and me.ballot.asked and me.now_ms >= me.ballot.ask_again_ms:
        _ask(me, me.ballot)


def ask_beforehand(me: Member) -> None:
    """Hold a pre-vote for the next term: nothing is promised and nothing made durable."""
    if not may_stand(me) or me.installing:
        return
    me.follow(None)
    me.ballot = Ballot(term=me.term + 1, pre=True, votes={me.member: True})
    _ask(me, me.ballot)
    _count(me, me.ballot)


def campaign(me: Member, transfer: bool = False) -> None:
    """Stand for election in a new term; votes are asked for once the own one is durable.

    Asked for earlier, a member could lose term, vote and the end of its log in a crash, stand again in the same term
    with a shorter log, and be elected by answers to its first request.
    """
    if not may_stand(me) or me.installing:
        return
    me.follow(None)
    me.role = Role.CANDIDATE
    me.hard_state = HardState(term=me.term + 1, voted_for=me.member)
    me.following = Following(me.commit_index)
    me.ballot = Ballot(term=me.term, pre=False, transfer=transfer, votes={})
    me.arm_election()
    me.save_hard_state()


def force(me: Member) -> None:
    """An administrator wants this member to lead, whoever does now; with leases, not before that leader's may be over.

    Members whose promise lasts longer than this one's refuse their votes, and are asked again.
    """
    if not me.timing.lease_ms:
        campaign(me, transfer=True)
    elif not has_promised(me):
        campaign(me)


def may_stand(me: Member) -> bool:
    """Whether the cluster may need this member as its leader.

    That goes by the newest configuration, and as long as that may still be cut off by those before it: a member that a
    change removes may be the only one that has the entry which says so (thesis, section 4.2.2).
    """
    if me.votes:
        return True
    for index, configuration in reversed(me.configurations):
        if me.member in configuration.voters or me.member in configuration.outgoing:
            return True
        if index <= me.commit_index:
            return False
    return False


def vote_saved(me: Member) -> None:
    """The present term and vote are durable: count the own vote and ask for others, or give the vote promised."""
    voted_for = me.hard_state.voted_for
    if me.role is Role.CANDIDATE and me.ballot is not None and voted_for == me.member:
        me.ballot.votes[me.member] = True
        _ask(me, me.ballot)
        _count(me, me.ballot)
    elif voted_for is not None and voted_for != me.member:
        me.send(voted_for, VoteReply(me.member, me.term, granted=True))


def takes_part(me: Member, request: RequestVote) -> bool:
    """Whether a vote may disturb this member: not while it has, or is, a leader that works."""
    return request.transfer or not (me.role is Role.LEADER or _heard_lately(me))


def request_vote(me: Member, request: RequestVote) -> None:
    """Vote in the present term: once, and only for a candidate whose log has everything that may be committed."""
    free = me.hard_state.voted_for in (None, request.sender)
    if not free or me.role is not Role.FOLLOWER or not log_is_current(me, request):
        me.send(request.sender, VoteReply(me.member, me.term, granted=False))
        return
    if me.hard_state.voted_for is None and has_promised(me) and not request.transfer:
        return
    me.arm_election()
    if me.hard_state.voted_for is None:
        me.hard_state = HardState(me.term, request.sender)
        me.ballot = None
        me.save_hard_state()
    elif me.saved == me.hard_state:
        me.send(request.sender, VoteReply(me.member, me.term, granted=True))


def answer_beforehand(me: Member, request: RequestVote) -> None:
    """Say whether the vote would be given; a refusal carries the own term, which the sender may not know of."""
    granted = request.term > me.term and takes_part(me, request) and log_is_current(me, request)
    me.send(request.sender, VoteReply(me.member, request.term if granted else me.term, granted, pre=True))


def log_is_current(me: Member, request: RequestVote) -> bool:
    """Whether the candidate's log is at least as new as the own one (Raft paper, section 5.4.1)."""
    return (request.last_term, request.last_index) >= (me.log.last_term, me.log.last_index)


def vote_reply(me: Member, reply: VoteReply) -> None:
    """Count a vote, where it belongs to the election that is being held."""
    ballot = me.ballot
    if ballot is None or ballot.pre is not reply.pre or (reply.granted and reply.term != ballot.term):
        return
    ballot.votes[reply.sender] = reply.granted
    _count(me, ballot)


def timeout_now(me: Member, _message: TimeoutNow) -> None:
    """The leader hands over: stand at once, and say so, for members that hold on to that leader."""
    if me.role is Role.FOLLOWER:
        campaign(me, transfer=True)


def check_quorum(me: Member) -> None:
    """A leader: step down where no majority has been heard of within the longest election timeout."""
    heard = {name: progress.heard_ms for name, progress in me.progress.items()}
    heard[me.member] = me.now_ms
    if me.now_ms - quorum.joint_index(me.voters, me.outgoing, heard) > me.timing.election_ms[1]:
        me.follow(None)
        me.arm_election()


def stand_back(me: Member) -> None:
    """The own disk refuses: let others stand first."""
    me.election_due_ms = me.now_ms + 2 * me.timing.election_ms[1] + me.random.randint(*me.timing.election_ms)


def has_promised(me: Member) -> bool:
    """Whether a leader's lease may rest on this member: it heard one lately, and whatever it has heard since does not
    take back that it said so. It may have forgotten in a crash, so one that has just recovered has promised, too."""
    if not me.timing.lease_ms:
        return False
    since_ms = me.recovered_ms if me.heard_ms is None else me.heard_ms
    return since_ms is None or me.now_ms - since_ms < me.timing.election_ms[0]


def _heard_lately(me: Member) -> bool:
    if me.leader is None or me.heard_ms is None:
        return has_promised(me)
    return me.now_ms - me.heard_ms < me.timing.election_ms[0]


def _ask(me: Member, ballot: Ballot) -> None:
    ballot.asked = True
    ballot.ask_again_ms = me.now_ms + me.timing.heartbeat_ms
    request = RequestVote(me.member, ballot.term, me.log.last_index, me.log.last_term, ballot.pre, ballot.transfer)
    for name in sorted((me.voters | me.outgoing) - ballot.votes.keys() - {me.member}):
        me.send(name, request)


def _count(me: Member, ballot: Ballot) -> None:
    outcome = quorum.joint_tally(me.voters, me.outgoing, ballot.votes)
    if outcome is quorum.Vote.WON:
        if ballot.pre:
            campaign(me)
        else:
            replication.become_leader(me)
    elif outcome is quorum.Vote.LOST:
        me.follow(None)
