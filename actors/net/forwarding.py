"""Requests that came to a controller which is not in charge: given to the one that is, and its answer to the client.

The client notices nothing. Who forwards has proved who the client is, so the other one believes it: the peers' wire is
closed to strangers. Every forwarded request has an id of its own. When the leader dies, or stops to lead, before it has
answered, the request is sent to the next leader with the same id; the cluster remembers what requests with an id were
answered (flurm.core.answers), so it does not matter whether the first one was committed.

While there is no leader a request waits, as long as the client would (`message_timeout`); then the client is told that
this controller stands by, and asks the next one. A controller that does not reach the leader, or does not know it, asks
the others in turn to pass the request on for it: lines may be cut between two while both reach a third.

An answer also says up to where the leader's log was applied. It is passed on once this controller has applied as much,
so that a client finds here what it has just been told.
"""

from __future__ import annotations

import itertools
import os
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
import structlog

from actors.leadership import is_in_charge, leader_of
from actors.net.peers import FrameError, PeerError, Peers, PeerTimeout

CALL = "slurm"
"""The kind of these calls on the peers' wire."""
POLL_S = 0.005
CATCH_UP_S = 2.0
TRY_S = 1.5
"""So long a controller may take for a request before another way is tried."""
SILENT_S = 3.0
"""So long it is not asked again then, unless there is nobody else."""
ASK_OTHERS_AFTER_S = 0.4
"""Elections take less."""
MARGIN_S = 1.0
"""The client shall have its answer before it gives up."""

log = structlog.get_logger(__name__)


class NobodyInCharge(Exception):
    """No controller took the request in time; where one had begun to, it may have been carried out."""

    def __init__(self, what: str, begun: bool = False) -> None:
        super().__init__(what)
        self.begun = begun


class Forwarded(msgspec.Struct, frozen=True):
    """A client's request as it came, and what the controller that it came to knows of it."""

    request_id: str
    data: bytes
    uid: int
    gid: int
    peer: tuple[str, int]
    may_pass_on: bool = False
    """Whether the receiver, where it is not in charge either, may give it to the controller that is."""


class Answer(msgspec.Struct, frozen=True):
    """What the client is to be sent; `taken` is false where the other controller is not in charge either, and `begun`
    then true where the request may have been carried out all the same."""

    taken: bool
    parts: tuple[bytes, bytes] | None = None
    """None: close the connection without a word."""
    index: int = 0
    begun: bool = False


_encoder = msgspec.msgpack.Encoder()
_requests = msgspec.msgpack.Decoder(Forwarded)
_answers = msgspec.msgpack.Decoder(Answer)


class RequestIds:
    """Ids that no other request of this cluster ever has: the member, this process, a number."""

    def __init__(self, member: str) -> None:
        self._prefix = f"{member}/{os.urandom(6).hex()}/"
        self._numbers = itertools.count()

    def next(self) -> str:
        """One more."""
        return f"{self._prefix}{next(self._numbers)}"


class Forwarder:
    """Finds the controller in charge and asks it; for many threads. `clock` has what it uses of the module `time`."""

    def __init__(self, member: str, peers: Peers, terms: dict[str, Any], timeout_s: float, clock: Any = time) -> None:
        self._member = member
        self._peers = peers
        self._terms = terms
        self._clock = clock
        self._patience_s = max(timeout_s - MARGIN_S, MARGIN_S)
        self._silent_until_s: dict[str, float] = {}
        self._relays: str | None = None
        self.forwarded = 0
        self.repeated = 0

    def ask(self, request: Forwarded, through_others: bool) -> Answer | None:
        """The answer of the controller in charge; None where this one has come to be it. Raises NobodyInCharge.

        With `through_others` a controller that is not in charge may be asked to pass it on.
        """
        self.forwarded += 1
        began_s = self._clock.monotonic()
        direct = _encoder.encode(request)
        relayed = _encoder.encode(msgspec.structs.replace(request, may_pass_on=True)) if through_others else b""
        tries, begun = 0, False
        while (left_s := began_s + self._patience_s - self._clock.monotonic()) > 0:
            if is_in_charge(self._terms):
                return None
            leader = leader_of(self._terms)
            if leader is not None and leader not in self._silent():
                answer = self._try(leader, direct, min(left_s, TRY_S))
            elif relayed and (whom := self._relay(leader, self._clock.monotonic() - began_s)):
                answer = self._try(whom, relayed, min(left_s, TRY_S))
                self._relays = whom if answer.taken else None
            else:
                self._clock.sleep(POLL_S)
                continue
            tries, begun = tries + 1, begun or answer.begun
            if answer.taken:
                self.repeated += tries > 1
                self._catch_up(answer.index)
                return answer
            self._clock.sleep(POLL_S)
        raise NobodyInCharge(request.request_id, begun)

    def _silent(self) -> set[str]:
        """Members that let a request wait a moment ago."""
        now_s = self._clock.monotonic()
        return {name for name, until_s in self._silent_until_s.copy().items() if until_s > now_s}

    def _relay(self, leader: str | None, waited_s: float) -> str | None:
        """Who may reach the controller in charge: the member that did before, else any other; None for a moment yet."""
        others = self._terms["members"].members - {self._member, leader} - self._silent()
        if self._relays in others:
            return self._relays
        if not others or (leader is None and waited_s < ASK_OTHERS_AFTER_S):
            return None
        return random.choice(sorted(others))

    def _try(self, whom: str, payload: bytes, timeout_s: float) -> Answer:
        """A member's answer; one that is not taken where it is gone, or does not lead. Raises NobodyInCharge."""
        try:
            return _answers.decode(self._peers.call(whom, CALL, payload, timeout_s))
        except PeerTimeout as error:
            self._silent_until_s[whom] = self._clock.monotonic() + SILENT_S
            return Answer(False, begun=error.sent)
        except PeerError as error:
            log.debug("controller did not answer", controller=whom, reason=str(error))
            return Answer(False, begun=error.sent)
        except FrameError as error:
            log.warning("request too long to be forwarded", reason=str(error))
            raise NobodyInCharge(str(error)) from error

    def _catch_up(self, index: int) -> None:
        """Wait until this controller has applied what the answer rests on, or go on without after a while."""
        deadline_s = self._clock.monotonic() + CATCH_UP_S
        while (
            leader_of(self._terms)
            and self._terms.get("cluster_index", 0) < index
            and self._clock.monotonic() < deadline_s
        ):
            self._clock.sleep(0.001)


class ForwardedConnection:
    """Stands where a handler has the client's socket: what is sent goes back to the controller that forwarded."""

    def __init__(self, request: Forwarded, answer: Callable[[bytes], None], terms: dict[str, Any]) -> None:
        self.request = request
        self._answer = answer
        self._terms = terms
        self._guard = threading.Lock()
        self._answered = False

    def send(self, parts: tuple[bytes, bytes]) -> None:
        """The reply to the client."""
        self._once(Answer(True, parts, self._terms.get("cluster_index", 0)))

    def refuse(self, begun: bool = False) -> None:
        """This controller is not in charge; it was when it `begun` with the request."""
        self._once(Answer(False, begun=begun))

    def close(self) -> None:
        """No reply, unless there was one."""
        self._once(Answer(True, None, self._terms.get("cluster_index", 0)))

    def _once(self, answer: Answer) -> None:
        with self._guard:
            if self._answered:
                return
            self._answered = True
        self._answer(_encoder.encode(answer))


def decode(payload: bytes) -> Forwarded:
    """A request that another controller forwards. Raises msgspec.DecodeError."""
    return _requests.decode(payload)
