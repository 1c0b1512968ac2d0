"""Tracer: keeps the last spans of what the tree did, for `flurm trace` and the page of the tree.

Casts    Spans(...) from connection handlers (requests), the scheduler engine (cycles), the node manager (RPCs to nodes)
Calls    Recent(limit, name) -> tuple of Span, newest first; "status" -> dict
Effects  none; the ring holds `SPANS` spans and forgets the oldest
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Any

import msgspec

from flurm.otp import GenServer, NoReply, Ok, Reply, Sender

TRACER = "flurm_tracer"
SPANS = 10_000


class Span(msgspec.Struct, frozen=True):
    """One thing that took time."""

    name: str
    began_s: float
    duration_us: int
    attributes: dict[str, str | int] = {}


class Spans(msgspec.Struct, frozen=True):
    """Cast: spans, oldest first. Who makes many sends them in batches."""

    spans: Sequence[Span]
    forgotten: int = 0
    """Older ones that were never in the ring, because too many waited for it."""


class Recent(msgspec.Struct, frozen=True):
    """Call: the newest spans, only those of `name` where given."""

    limit: int = 100
    name: str | None = None


class State(msgspec.Struct):
    """The ring and how many spans there have been."""

    spans: deque[Span]
    total: int = 0


class Tracer(GenServer):
    """Takes spans and hands them out."""

    vsn = 1
    coalesced = (Spans,)

    def init(self, args: dict[str, Any]) -> Ok:
        return Ok(State(deque(maxlen=SPANS)))

    def handle_call(self, request: Any, sender: Sender, state: State) -> Reply:
        match request:
            case Recent(limit, name):
                newest = (span for span in reversed(state.spans) if name is None or span.name == name)
                return Reply(tuple(islice(newest, limit)), state)
            case "status":
                return Reply(self.format_status(state), state)
        raise NotImplementedError(repr(request))

    def coalesce(self, waiting: Spans, arrived: Spans) -> Spans:
        """One message with the spans of both, or with as many of the newest as the ring holds."""
        spans = (*waiting.spans, *arrived.spans)
        surplus = max(len(spans) - SPANS, 0)
        return Spans(spans[surplus:], waiting.forgotten + arrived.forgotten + surplus)

    def handle_cast(self, message: Any, state: State) -> NoReply:
        if not isinstance(message, Spans):
            raise NotImplementedError(repr(message))
        state.spans.extend(message.spans)
        state.total += len(message.spans) + message.forgotten
        return NoReply(state)

    def format_status(self, state: State) -> Any:
        return {"spans": len(state.spans), "total": state.total}
