"""Requests about the cluster of controllers itself: who belongs to it, who leads, who shall.

Any controller takes them. What only the leader can do is done by the leader, wherever the request came in: consensus
there is asked over the peers' wire.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
import structlog

from actors.leadership import is_in_charge, leader_of
from actors.net.peers import PeerError, Peers
from flurm.otp import OtpError
from flurm.raft.effects import Reject, RejectReason, TransferEnded
from flurm.raft.events import Campaign, ChangeMembership, TransferLeadership
from flurm.raft.records import Configuration, Status

CONSENSUS = "flurm_consensus"
CALL = "consensus"
"""The kind of these calls on the peers' wire."""
PATIENCE_S = 30.0
ELECTION_S = 5.0
POLL_S = 0.02

log = structlog.get_logger(__name__)


class Refused(Exception):
    """The cluster of controllers is not changed; the text says why."""


class Wish(msgspec.Struct, frozen=True):
    """What the leader is asked for: to `transfer` leadership to `member`, `add` it (at `address`), or `remove` it."""

    what: str
    member: str | None = None
    address: str = ""


class Outcome(msgspec.Struct, frozen=True):
    """How it went; with `again` the one asked does not lead."""

    error: str = ""
    again: bool = False
    leader: str | None = None


_encoder = msgspec.msgpack.Encoder()
_wishes = msgspec.msgpack.Decoder(Wish)
_outcomes = msgspec.msgpack.Decoder(Outcome)


class Members:
    """The cluster of controllers, as this one can tell and change it; for many threads."""

    def __init__(self, system: Any, member: str, peers: Peers | None) -> None:
        self._system = system
        self._member = member
        self._peers = peers

    def status(self) -> Status:
        """This member: role, term, leader, progress of the others where it leads. Raises OtpError."""
        status: Status = self._system.call(CONSENSUS, "status", PATIENCE_S)
        return status

    def transfer(self, to: str | None = None) -> str:
        """Hand leadership over, and return who leads then. Raises Refused, OtpError."""
        return self._carry_out(Wish("transfer", to)).leader or "nobody"

    def hand_over(self, patience_s: float) -> str | None:
        """Where this controller leads, have the follower lead that has most of the log; returns who leads then.

        None where it does not lead, is the only one, or nobody took over: raises nothing, and is over in `patience_s`.
        """
        if leader_of(self._system.terms) != self._member or self._peers is None:
            return None
        try:
            answer = self._system.call(CONSENSUS, TransferLeadership(), patience_s)
        except OtpError as error:
            log.warning("leadership not handed over", reason=str(error))
            return None
        if isinstance(answer, TransferEnded) and answer.leader not in (None, self._member):
            return answer.leader
        why = answer.detail if isinstance(answer, Reject) else "nobody took over in time"
        log.warning("leadership not handed over", reason=why)
        return None

    def add(self, member: str, address: str) -> str:
        """Take a member in and return it: first it catches up, then it votes. Raises Refused, OtpError."""
        self._carry_out(Wish("add", member, address))
        return member

    def remove(self, member: str) -> str:
        """Let a member go and return it. Raises Refused, OtpError."""
        self._carry_out(Wish("remove", member))
        return member

    def take_over(self) -> str:
        """Have this controller lead, whoever leads now; returns who does then. Raises Refused.

        With leases a leader that works is asked to hand over: nothing else takes its lease from it.
        """
        terms = self._system.terms
        leases = self._system.env["config"].raft_clock_drift_bound is not None
        if not is_in_charge(terms):
            self._system.cast(CONSENSUS, Campaign())
        deadline_s = time.monotonic() + ELECTION_S
        while not is_in_charge(terms) and time.monotonic() < deadline_s:
            if leases and leader_of(terms) not in (None, self._member):
                with contextlib.suppress(Refused):
                    self.transfer(self._member)
            time.sleep(POLL_S)
        if not is_in_charge(self._system.terms):
            raise Refused(
                f"the others did not elect this controller; {leader_of(self._system.terms) or 'nobody'} leads"
            )
        return self._member

    def serve(self, payload: bytes, answer: Callable[[bytes], None]) -> None:
        """Another controller asks for something; answered from a thread of its own."""
        wish = _wishes.decode(payload)
        threading.Thread(target=lambda: answer(_encoder.encode(self._try(wish))), daemon=True).start()

    def _carry_out(self, wish: Wish) -> Outcome:
        deadline_s = time.monotonic() + PATIENCE_S
        asked = False
        while time.monotonic() < deadline_s:
            if asked and self._is_so(wish):
                return Outcome()  # the leader did it and could not say so any more: perhaps it was the one to go
            asked = True
            leader = leader_of(self._system.terms)
            outcome = Outcome(again=True)
            if wish.what == "transfer" and leader is not None and leader == wish.member:
                return Outcome(leader=leader)
            if leader == self._member:
                outcome = self._try(wish)
            elif leader is not None and self._peers is not None:
                outcome = self._ask(leader, wish)
            if outcome.error:
                raise Refused(outcome.error)
            if not outcome.again:
                return outcome
            time.sleep(POLL_S)
        raise Refused("there is no leader: a majority of the controllers must be up and reach each other")

    def _is_so(self, wish: Wish) -> bool:
        now: Configuration = self._system.terms["members"]
        if now.outgoing or wish.what == "transfer":
            return False
        return (wish.member in now.voters) == (wish.what == "add")

    def _ask(self, leader: str, wish: Wish) -> Outcome:
        assert self._peers is not None
        try:
            return _outcomes.decode(self._peers.call(leader, CALL, _encoder.encode(wish), PATIENCE_S))
        except PeerError:
            return Outcome(again=True)

    def _try(self, wish: Wish) -> Outcome:
        """Ask this controller's own consensus."""
        try:
            answer = self._system.call(CONSENSUS, self._event(wish), PATIENCE_S)
        except (OtpError, Refused) as error:
            return Outcome(str(error))
        match answer:
            case Reject(reason=RejectReason.NOT_LEADER | RejectReason.LEADERSHIP_LOST):
                return Outcome(again=True)
            case Reject(detail=detail, reason=reason):
                return Outcome(detail or reason.value)
            case TransferEnded(leader=leader) if wish.member not in (None, leader):
                return Outcome(f"{wish.member} did not take over; {leader or 'nobody'} leads")
            case TransferEnded(leader=leader):
                return Outcome(leader=leader)
        return Outcome()

    def _event(self, wish: Wish) -> TransferLeadership | ChangeMembership:
        now: Configuration = self._system.terms["members"]
        if wish.what == "transfer":
            return TransferLeadership(wish.member)
        if wish.what not in ("add", "remove") or not wish.member:
            raise Refused(f"this controller knows no wish to {wish.what} {wish.member}: is it of an older release?")
        if wish.what == "add":
            _check_address(wish.address)
            if wish.member in now.voters:
                raise Refused(f"{wish.member} is a member already")
            voters = (*now.voters, wish.member)
            return ChangeMembership(voters, now.learners, {**now.addresses, wish.member: wish.address})
        if wish.member not in now.members:
            raise Refused(f"{wish.member} is no member; there are {', '.join(sorted(now.members))}")
        voters = tuple(name for name in now.voters if name != wish.member)
        learners = tuple(name for name in now.learners if name != wish.member)
        return ChangeMembership(voters, learners, {n: a for n, a in now.addresses.items() if n != wish.member})


def _check_address(address: str) -> None:
    """What stands in the log as a member's address is there for all controllers to connect to. Raises Refused."""
    host, _, port = address.rpartition(":")
    if not (host.strip("[]") and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise Refused(
            f"{address!r} is no address: expected host:port, where the new controller has its raft_port (6816)"
        )
