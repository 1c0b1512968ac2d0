"""What handlers return, and what arrives in `handle_info` without anybody having sent it.

The results are OTP's tuples as records: `{reply, Value, State}` is `Reply(value, state)`. `continue_` runs
`handle_continue` before the next message; `timeout_s` delivers `TIMEOUT` when no message comes in that time.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec


class Pid:
    """Identity of one process incarnation; a restarted process has another one."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    def __repr__(self) -> str:
        return f"<0.{self.number}>"


class NoAnswer:
    """Type of `NO_REPLY`, which tells an absent reply from a reply of None."""

    def __repr__(self) -> str:
        return "NO_REPLY"


NO_REPLY: Final = NoAnswer()


class Ok(msgspec.Struct):
    """`init` succeeded."""

    state: Any
    continue_: Any = None
    timeout_s: float | None = None


class StopInit(msgspec.Struct):
    """`init` failed: the starter gets `StartError(reason)`. `silent` is OTP's `{error, Reason}`: no crash report."""

    reason: Any
    silent: bool = False


class Ignore(msgspec.Struct):
    """`init` decided that this process is not needed; not an error."""


class Reply(msgspec.Struct):
    """Answer the call with `value` and go on."""

    value: Any
    state: Any
    continue_: Any = None
    timeout_s: float | None = None


class NoReply(msgspec.Struct):
    """Go on; a call answered so is answered later, by anybody, with `reply(sender, value)`."""

    state: Any
    continue_: Any = None
    timeout_s: float | None = None


class Stop(msgspec.Struct):
    """Run `terminate` and exit with `reason`; `reply`, where given, still answers the call."""

    reason: Any
    state: Any
    reply: Any = NO_REPLY


class Timeout(msgspec.Struct, frozen=True):
    """Arrives in `handle_info` when `timeout_s` passed without a message."""


TIMEOUT: Final = Timeout()


class MonitorRef:
    """Identity of one monitor."""

    __slots__ = ("pid", "target")

    def __init__(self, target: Any, pid: Pid | None) -> None:
        self.target = target
        self.pid = pid


class Down(msgspec.Struct, frozen=True):
    """A monitored process is gone. `target` is what was monitored: a name or a pid."""

    ref: MonitorRef
    target: Any
    pid: Pid | None
    reason: Any


class Exit(msgspec.Struct, frozen=True):
    """A linked process is gone; arrives only in a process that traps exits. `pid` is None where a thread sent it."""

    pid: Pid | None
    reason: Any


class Response(msgspec.Struct, frozen=True):
    """Answer to `send_request`."""

    tag: Any
    value: Any


class ResponseDown(msgspec.Struct, frozen=True):
    """The process asked with `send_request` died, or was not there, before it answered."""

    tag: Any
    reason: Any


class GroupChanged(msgspec.Struct, frozen=True):
    """Members of a monitored group: `kind` is `join` or `leave`."""

    ref: MonitorRef
    kind: str
    group: Any
    pids: tuple[Pid, ...]


class RuntimeEvent(msgspec.Struct, frozen=True):
    """What observers of a system are told: `kind` is `started`, `exited`, `restarted`, `overloaded` or `relieved`."""

    kind: str
    pid: Pid
    name: str | None
    reason: Any = None
    supervisor: str | None = None
