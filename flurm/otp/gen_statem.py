"""GenStatem: a process as a state machine, with OTP's events, time-outs and postponing.

An event is a record: `Call`, `Cast`, `Info`, `Internal`, `TimedOut`, and `Enter` where `state_enter` is set. It goes to
the method named after the state, or to `handle_event` for all states, as `callback_mode` says. What that returns says
where to go (`NextState`, `KeepState`, `RepeatState`, `Halt`) and what to do on the way (actions).

In which order things happen, after every event (OTP's order):

1. the actions, in turn: answers go out at once, the others are noted;
2. in a new or repeated state its `Enter` call, which may add actions, but neither postpone nor insert events;
3. the event is postponed, if it should be;
4. in a new state, the state time-out is cancelled and all postponed events come again, oldest first;
5. events from `NextEvent` go before everything that waits;
6. time-outs are armed; one of zero seconds comes after what waits here, and before what waits in the mailbox.

Every event cancels the event time-out. A time-out is known by its name; arming it again replaces it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

import msgspec

from flurm.otp.gen_server import Behaviour, GenServer
from flurm.otp.messages import Ignore, NoReply, Ok, Stop, StopInit
from flurm.otp.runtime.sender import Sender
from flurm.otp.specs import resolve

HANDLE_EVENT: Final = "handle_event"
STATE_FUNCTIONS: Final = "state_functions"

STATE_TIMEOUT: Final = "state_timeout"
EVENT_TIMEOUT: Final = "timeout"


class Unchanged(msgspec.Struct, frozen=True):
    """Type of `UNCHANGED`."""


UNCHANGED: Final = Unchanged()
"""In the place of data: as it was."""


class Call(msgspec.Struct, frozen=True):
    """Somebody asks and waits: answer with `ReplyTo(sender, value)`, now or later."""

    request: Any
    sender: Sender


class Cast(msgspec.Struct, frozen=True):
    """Somebody tells."""

    message: Any


class Info(msgspec.Struct, frozen=True):
    """The runtime tells: Down, Exit, Response, or what was sent with `info`."""

    message: Any


class Internal(msgspec.Struct, frozen=True):
    """The machine to itself, with `NextEvent`."""

    content: Any


class TimedOut(msgspec.Struct, frozen=True):
    """A time-out: `name` is STATE_TIMEOUT, EVENT_TIMEOUT or the name that it was armed with."""

    name: Any
    content: Any


class Enter(msgspec.Struct, frozen=True):
    """The state is entered, from `old`."""

    old: Any


Event = Call | Cast | Info | Internal | TimedOut | Enter


class Postpone(msgspec.Struct, frozen=True):
    """Have this event again in the next state."""


class NextEvent(msgspec.Struct, frozen=True):
    """Take this event before all that wait; several come in the order given."""

    event: Any


class ReplyTo(msgspec.Struct, frozen=True):
    """Answer a call."""

    sender: Sender
    value: Any


class Timer(msgspec.Struct, frozen=True):
    """Have `TimedOut(name, content)` after `after_s` seconds; None takes the time-out back."""

    name: Any
    after_s: float | None
    content: Any = None


class Update(msgspec.Struct, frozen=True):
    """Change the content of an armed time-out; one that is not armed comes at once."""

    name: Any
    content: Any


Action = Postpone | NextEvent | ReplyTo | Timer | Update
Actions = Sequence[Any]


def state_timeout(after_s: float | None, content: Any = None) -> Timer:
    """A time-out that leaving the state cancels."""
    return Timer(STATE_TIMEOUT, after_s, content)


def event_timeout(after_s: float | None, content: Any = None) -> Timer:
    """A time-out that any event cancels."""
    return Timer(EVENT_TIMEOUT, after_s, content)


class Begin(msgspec.Struct):
    """`init` succeeded: the machine begins in `state`."""

    state: Any
    data: Any
    actions: Actions = ()


class NextState(msgspec.Struct):
    """Go to `state`; where it is the state of now, stay."""

    state: Any
    data: Any = UNCHANGED
    actions: Actions = ()


class KeepState(msgspec.Struct):
    """Stay."""

    data: Any = UNCHANGED
    actions: Actions = ()


class RepeatState(msgspec.Struct):
    """Stay, and make the `Enter` call again."""

    data: Any = UNCHANGED
    actions: Actions = ()


class Halt(msgspec.Struct):
    """Answer the calls in `replies`, run `terminate`, and exit with `reason`."""

    reason: Any = "normal"
    data: Any = UNCHANGED
    replies: Sequence[ReplyTo] = ()


Result = NextState | KeepState | RepeatState | Halt


class GenStatem(Behaviour):
    """Base class of state machines. In STATE_FUNCTIONS mode each state is a string, and a method of that name."""

    callback_mode: ClassVar[str] = HANDLE_EVENT
    state_enter: ClassVar[bool] = False

    def init(self, args: dict[str, Any]) -> Begin | StopInit | Ignore:
        """The first state and the first data. The starter waits for this."""
        raise NotImplementedError(f"{type(self).__name__} has no init")

    def handle_event(self, event: Any, state: Any, data: Any) -> Result:
        """Take an event in a state (HANDLE_EVENT mode)."""
        raise NotImplementedError(f"{type(self).__name__} takes no event: {event!r} in {state!r}")

    def terminate(self, reason: Any, state: Any, data: Any) -> None:
        """Release what the process holds. Runs on every exit but a kill."""

    def code_change(self, old_vsn: Any, state: Any, data: Any, extra: Any) -> tuple[Any, Any]:
        """State and data in the shape that this version of the code wants."""
        return state, data

    def runs_code_of(self, state: Any, data: Any) -> tuple[str, ...]:
        """Further Python modules whose objects the data holds: when one changes, `code_change` is called as well."""
        return ()

    def format_status(self, state: Any, data: Any) -> Any:
        """State and data as they may be shown: without secrets, not too long."""
        return state, data


class Machine(msgspec.Struct, eq=False):
    """Where a machine is, and what waits in it."""

    state: Any
    data: Any
    waiting: deque[Any] = msgspec.field(default_factory=deque)
    postponed: list[Any] = msgspec.field(default_factory=list)
    armed: dict[Any, _Armed] = msgspec.field(default_factory=dict)
    due: deque[_Armed] = msgspec.field(default_factory=deque)
    """Time-outs of zero seconds, in the order in which they were armed."""


class _Armed(msgspec.Struct, eq=False):
    """A time-out that is armed; `timer` is None for one of zero seconds."""

    name: Any
    content: Any
    timer: Any = None


class _Rings(msgspec.Struct, frozen=True):
    """A timer of the runtime has come."""

    armed: _Armed


class _Transition(msgspec.Struct):
    """What the actions of one event add up to."""

    postpone: bool = False
    events: list[Any] = msgspec.field(default_factory=list)
    timers: list[Any] = msgspec.field(default_factory=list)


class BadAction(TypeError):
    """An action that is none, or that is not allowed there."""


class StatemServer(GenServer):
    """Runs a GenStatem: the GenServer whose state is a Machine."""

    def __init__(self, module: GenStatem) -> None:
        self.module = module
        self.max_mailbox, self.coalesced = module.max_mailbox, module.coalesced

    def init(self, args: dict[str, Any]) -> Ok | StopInit | Ignore:
        inner = self.module
        inner.system, inner.name, inner.pid, inner._process = self.system, self.name, self.pid, self._process
        begun: Any = inner.init(args)
        if not isinstance(begun, Begin):
            return begun
        machine = Machine(begun.state, begun.data)
        return Ok(machine, continue_=begun.actions or _NOTHING)

    def handle_continue(self, what: Any, state: Machine) -> NoReply | Stop:
        transition = _Transition()
        self._act(() if what is _NOTHING else what, transition, None)
        return self._settle(state, transition, entered_from=state.state) or self._drain(state)

    def handle_call(self, request: Any, sender: Any, state: Machine) -> NoReply | Stop:
        return self._take(Call(request, sender), state)

    def handle_cast(self, message: Any, state: Machine) -> NoReply | Stop:
        return self._take(Cast(message), state)

    def handle_info(self, message: Any, state: Machine) -> NoReply | Stop:
        if not isinstance(message, _Rings):
            return self._take(Info(message), state)
        armed = message.armed
        if state.armed.get(armed.name) is not armed:
            return NoReply(state)
        del state.armed[armed.name]
        return self._take(TimedOut(armed.name, armed.content), state)

    def terminate(self, reason: Any, state: Machine) -> None:
        for name in list(state.armed):
            self._disarm(state, name)
        self.module.terminate(reason, state.state, state.data)

    def coalesce(self, waiting: Any, arrived: Any) -> Any:
        return self.module.coalesce(waiting, arrived)

    def code_class(self) -> type[Behaviour]:
        return type(self.module)

    def runs_code_of(self, state: Machine) -> tuple[str, ...]:
        return self.module.runs_code_of(state.state, state.data)

    def format_status(self, state: Machine) -> Any:
        return self.module.format_status(state.state, state.data)

    def system_get_state(self, state: Machine) -> Any:
        return state.state, state.data

    def system_replace_state(self, change: Callable[[Any], Any], state: Machine) -> Machine:
        state.state, state.data = change((state.state, state.data))
        return state

    def system_code_change(self, old_vsn: Any, state: Machine, extra: Any) -> Machine:
        name, data = self.module.code_change(old_vsn, state.state, state.data, extra)
        return msgspec.structs.replace(state, state=name, data=data)  # so that the former can be put back

    def system_new_module(self, start: Any) -> GenServer:
        cls = resolve(start)
        module = cls.__new__(cls)
        module.__dict__.update(self.module.__dict__)
        server = StatemServer(module)
        server.__dict__.update({key: value for key, value in self.__dict__.items() if key != "module"})
        return server

    def _take(self, event: Any, machine: Machine) -> NoReply | Stop:
        machine.waiting.append(event)
        return self._drain(machine)

    def _drain(self, machine: Machine) -> NoReply | Stop:
        """Handle what waits in the machine, and what that brings about."""
        while True:
            if machine.waiting:
                event = machine.waiting.popleft()
            elif machine.due:
                armed = machine.due.popleft()
                if machine.armed.get(armed.name) is not armed:
                    continue
                del machine.armed[armed.name]
                event = TimedOut(armed.name, armed.content)
            else:
                return NoReply(machine)
            stop = self._handle(event, machine)
            if stop is not None:
                return stop

    def _handle(self, event: Any, machine: Machine) -> Stop | None:
        self._disarm(machine, EVENT_TIMEOUT)
        transition = _Transition()
        before = machine.state
        result = self._ask(event, machine)
        if isinstance(result, Halt):
            return self._halt(result, machine)
        entered = self._go(result, machine)
        self._act(result.actions, transition, event)
        return self._settle(machine, transition, before if entered else _NOTHING, event)

    def _ask(self, event: Any, machine: Machine) -> Any:
        module = self.module
        if module.callback_mode == STATE_FUNCTIONS:
            return getattr(module, machine.state)(event, machine.data)
        return module.handle_event(event, machine.state, machine.data)

    def _go(self, result: Any, machine: Machine) -> bool:
        """Take over the new state and data; whether the state is entered, anew or again."""
        if not isinstance(result, NextState | KeepState | RepeatState):
            raise TypeError(f"{self.module_name()}: bad return value {result!r}")
        if result.data is not UNCHANGED:
            machine.data = result.data
        if isinstance(result, NextState) and result.state != machine.state:
            machine.state = result.state
            return True
        return isinstance(result, RepeatState)

    def _act(self, actions: Actions, transition: _Transition, event: Any) -> None:
        for action in actions if isinstance(actions, Sequence) else (actions,):
            match action:
                case ReplyTo(sender, value):
                    self.reply(sender, value)
                case Timer() | Update():
                    transition.timers.append(action)
                case NextEvent(inserted) if not isinstance(event, Enter):
                    transition.events.append(inserted)
                case Postpone() if not isinstance(event, Enter | None):
                    transition.postpone = True
                case _:
                    raise BadAction(f"{self.module_name()}: {action!r} after {type(event).__name__}")

    def _settle(self, machine: Machine, transition: _Transition, entered_from: Any, event: Any = None) -> Stop | None:
        """Steps 2 to 6 of a transition; a Stop where the `Enter` call says so."""
        entered = entered_from is not _NOTHING
        changed = entered and event is not None and entered_from != machine.state
        if changed:
            self._disarm(machine, STATE_TIMEOUT)
            self._process.note(("state", machine.state))
        if entered and self.module.state_enter:
            stop = self._enter(machine, transition, entered_from)
            if stop is not None:
                return stop
        if transition.postpone:
            self._process.note(("postpone", event, machine.state))
            machine.postponed.append(event)
        if changed:
            machine.waiting.extendleft(reversed(machine.postponed))
            machine.postponed.clear()
        machine.waiting.extendleft(reversed(transition.events))
        for timer in transition.timers:
            self._arm(machine, timer)
        return None

    def _enter(self, machine: Machine, transition: _Transition, old: Any) -> Stop | None:
        event = Enter(old)
        while True:
            before = machine.state
            result = self._ask(event, machine)
            if isinstance(result, Halt):
                return self._halt(result, machine)
            again = self._go(result, machine)
            if machine.state != before:
                raise BadAction(f"{self.module_name()}: Enter of {before!r} may not go to {machine.state!r}")
            self._act(result.actions, transition, event)
            if not again:
                return None
            event = Enter(machine.state)

    def _halt(self, result: Halt, machine: Machine) -> Stop:
        if result.data is not UNCHANGED:
            machine.data = result.data
        for reply in result.replies:
            self.reply(reply.sender, reply.value)
        return Stop(result.reason, machine)

    def _arm(self, machine: Machine, action: Any) -> None:
        name = action.name
        if isinstance(action, Update):
            armed = machine.armed.get(name)
            if armed is not None:
                armed.content = action.content
                return
            action = Timer(name, 0, action.content)
        self._disarm(machine, name)
        if action.after_s is None:
            return
        armed = machine.armed[name] = _Armed(name, action.content)
        if action.after_s > 0:
            armed.timer = self.send_after(action.after_s, _Rings(armed))
        else:
            machine.due.append(armed)

    def _disarm(self, machine: Machine, name: Any) -> None:
        armed = machine.armed.pop(name, None)
        if armed is not None and armed.timer is not None:
            self.cancel_timer(armed.timer)


_NOTHING: Final = ("nothing",)
