"""gen_statem_SUITE of OTP by its names. See docs/otp-conformance.md."""

from collections.abc import Callable
from typing import Any

import pytest

from flurm.otp import CallTimeout, Child, Crash, Ignore, NoProcess, ProcessDown, Response, StartError, StopInit, debug
from flurm.otp.gen_statem import (
    HANDLE_EVENT,
    STATE_FUNCTIONS,
    STATE_TIMEOUT,
    Begin,
    Call,
    Cast,
    Enter,
    GenStatem,
    Halt,
    Info,
    Internal,
    KeepState,
    NextEvent,
    NextState,
    Postpone,
    RepeatState,
    ReplyTo,
    TimedOut,
    Timer,
    Update,
    event_timeout,
    state_timeout,
)


class Phone(GenStatem):
    """A door with a bell: closed until it is dialled, then open until it is hung up. One function per state."""

    callback_mode = STATE_FUNCTIONS

    def init(self, args: dict[str, Any]) -> Any:
        match args.get("init"):
            case "ignore":
                return Ignore()
            case "stop":
                return StopInit("stopped")
            case "error":
                return StopInit("foobar", silent=True)
            case "bad":
                return "badreturn"
            case "bad action":
                return Begin("idle", 0, actions=(Postpone(),))
            case "sleep":
                self.call("sleeper", "never", timeout_s=1e6)
        return Begin("idle", 0)

    def idle(self, event: Any, data: int) -> Any:
        match event:
            case Call("dial", sender):
                return NextState("open", data + 1, ReplyTo(sender, "ringing"))
            case Call("hang up"):
                return KeepState(actions=Postpone())
        return self.anywhere(event, data)

    def open(self, event: Any, data: int) -> Any:
        match event:
            case Call("hang up", sender):
                return NextState("idle", actions=ReplyTo(sender, "silent"))
        return self.anywhere(event, data)

    def anywhere(self, event: Any, data: int) -> Any:
        match event:
            case Call("never"):
                return KeepState()
            case Call("badreturn"):
                return "badreturn"
            case Call(("stop", reason), sender):
                return Halt(reason, replies=(ReplyTo(sender, "stopped"),))
            case Call(("later", after_s), sender):
                return KeepState(actions=Timer("answer", after_s, sender))
            case TimedOut("answer", sender):
                return KeepState(actions=ReplyTo(sender, "delayed"))
            case Call(request, sender):
                return KeepState(actions=ReplyTo(sender, request))
            case Info("crash"):
                raise ValueError("crashed")
        return KeepState()

    def terminate(self, reason: Any, state: Any, data: Any) -> None:
        self.system.env.setdefault("terminated", []).append((reason, state, data))

    def format_status(self, state: Any, data: Any) -> Any:
        return ("formatted", state)


class Switch(Phone):
    """The same with one handler for all states."""

    callback_mode = HANDLE_EVENT

    def handle_event(self, event: Any, state: Any, data: Any) -> Any:
        return getattr(self, state)(event, data)


@pytest.fixture(params=[Phone, Switch])
def start(world, request):
    return lambda args=None, name=None, timeout_s=60.0: world.system.spawn(
        request.param, args or {}, name, timeout_s=timeout_s
    )


class Scripted(GenStatem):
    """Does in each state what its script says, and writes down every event that it is given."""

    def init(self, args: dict[str, Any]) -> Any:
        self.script: dict[str, Callable[[Any, list[Any]], Any]] = args["script"]
        return Begin(args.get("state", "start"), [], args.get("actions", ()))

    def handle_event(self, event: Any, state: Any, data: Any) -> Any:
        data.append((state, event))
        return self.script[state](event, data)


class Entering(Scripted):
    state_enter = True


def scripted(world, kind=Scripted, state="start", actions=(), **script):
    """Start a scripted machine; returns its pid and the list of (state, event) that it fills."""
    pid = world.system.spawn(kind, {"script": script, "state": state, "actions": actions})
    return pid, debug.get_state(world.system, pid)[1]


def keep(*actions):
    return lambda event, data: KeepState(actions=actions)


def works(world, target):
    """The functions of the phone, by calls alone."""
    call = world.system.call
    assert call(target, "dial") == "ringing"
    assert call(target, "echo") == "echo"
    assert call(target, "hang up") == "silent"
    return debug.get_state(world.system, target) == ("idle", 1)


def test_start1(world, start):
    pid = start()
    assert works(world, pid)
    world.system.stop_process(pid)


def test_start2(world, start):
    pid = start()
    assert world.system.call(pid, ("stop", "shutdown")) == "stopped"
    assert world.ended(pid) == "shutdown"
    assert world.reports("crash") == []


def test_start3(world, start):
    assert works(world, start(timeout_s=5))
    start(name="sleeper")
    with pytest.raises(StartError, match="timeout"):
        start({"init": "sleep"}, timeout_s=0.02)


def test_start4(world, start):
    assert start({"init": "ignore"}) is None


def test_start5a(world, start):
    with pytest.raises(StartError) as error:
        start({"init": "stop"})
    assert error.value.reason == "stopped"


def test_start5b(world, start):
    """The same, without a crash report."""
    with pytest.raises(StartError) as error:
        start({"init": "error"})
    assert error.value.reason == "foobar"
    assert world.reports("crash") == []


def test_loop_start_fail(world, start):
    """A parent that traps exits hears of a failed start by the answer alone."""
    parent = world.probe()

    def tries(probe):
        for init in ("stop", "error", "bad"):
            with pytest.raises(StartError):
                probe.start_link(Phone, {"init": init})

    parent.run(tries)
    assert parent.run(lambda probe: "still there") == "still there" and parent.seen == []


def test_start6(world, start):
    """Linked to who started it."""
    parent = world.probe()
    pid = parent.run(lambda probe: probe.start_link(Phone))
    world.system.kill(parent.pid)
    assert world.ended(pid) == "killed"


def test_start8(world, start):
    pid = start(name="my_stm")
    with pytest.raises(StartError) as error:
        start(name="my_stm")
    assert error.value.reason == ("already_started", pid)
    assert works(world, "my_stm")


def test_start11(world, start):
    for _ in range(3):
        start(name="my_stm")
        world.system.stop_process("my_stm")


def test_next_events(world):
    """Inserted events come in the order given, before all that waits."""

    def start(event, data):
        match event:
            case Cast("go"):
                return KeepState(actions=[NextEvent(Internal(1)), NextEvent(Cast(2)), NextEvent(Info(3))])
            case Internal(1):
                return KeepState(actions=NextEvent(Internal(1.5)))
        return KeepState()

    pid, seen = scripted(world, start=start)
    debug.suspend(world.system, pid)
    world.system.cast(pid, "go")
    world.system.cast(pid, "waits")
    debug.resume(world.system, pid)
    world.until(lambda: len(seen) == 6)
    assert [event for _, event in seen] == [
        Cast("go"),
        Internal(1),
        Internal(1.5),
        Cast(2),
        Info(3),
        Cast("waits"),
    ]


def test_stop1(world, start):
    pid = start()
    world.system.stop_process(pid)
    assert world.system.env["terminated"] == [("normal", "idle", 0)]
    with pytest.raises(NoProcess):
        world.system.stop_process(pid)


def test_stop2(world, start):
    pid = start()
    world.system.stop_process(pid, "other_reason")
    assert world.ended(pid) == "other_reason"


def test_stop3(world, start):
    pid = start()
    with pytest.raises(ValueError, match="expected seconds"):
        world.system.stop_process(pid, "other_reason", -1)
    assert world.system.is_alive(pid)


def test_stop4(world, start):
    start(name="to_stop")
    world.system.stop_process("to_stop")
    with pytest.raises(NoProcess):
        world.system.stop_process("to_stop")


def test_abnormal1(world, start):
    start(name="abnormal1")
    assert world.system.call("abnormal1", ("later", 0.001), 5.0) == "delayed"
    with pytest.raises(CallTimeout):
        world.system.call("abnormal1", ("later", 10.0), 0.01)
    world.system.stop_process("abnormal1")


def test_abnormal1clean(world, start):
    """An answer that comes after the caller has given up reaches nobody."""
    asker, pid = world.probe(), start()

    def asks(probe):
        with pytest.raises(CallTimeout):
            probe.call(pid, ("later", 0.03), 0.01)
        probe.send_after(0.05, "later still")

    asker.run(asks)
    world.until(lambda: asker.seen)
    assert asker.seen == ["later still"]


def test_abnormal2(world, start):
    pid = start()
    with pytest.raises(ProcessDown, match="bad return value 'badreturn'"):
        world.system.call(pid, "badreturn")
    assert isinstance(world.ended(pid), Crash)


def test_abnormal3(world, start):
    """An action that makes no sense in init ends the machine right after its start."""
    pid = start({"init": "bad action"})
    assert "Postpone" in str(world.ended(pid))


def test_abnormal4(world, start):
    with pytest.raises(StartError, match="init returned 'badreturn'"):
        start({"init": "bad"})


def test_shutdown(world, start):
    pid = start()
    assert world.system.call(pid, ("stop", ("shutdown", "reason"))) == "stopped"
    assert world.ended(pid) == ("shutdown", "reason")
    assert world.reports("crash") == []
    with pytest.raises(NoProcess):
        world.system.call(pid, "hello")


def test_stop_and_reply(world):
    """The answers that a stop gives go out in order, and before the end is known."""
    asker, other = world.probe(), world.probe()

    def start(event, data):
        if isinstance(event, Call):
            return KeepState()
        senders = [earlier.sender for _, earlier in data if isinstance(earlier, Call)]
        return Halt("reason", replies=[ReplyTo(sender, number) for number, sender in enumerate(senders)])

    pid, seen = scripted(world, start=start)
    for probe in (asker, other):
        probe.run(lambda process: process.send_request(pid, "ask", "tag"))
        world.until(lambda probe=probe: len(seen) == (1 if probe is asker else 2))
    world.system.cast(pid, "end")
    assert world.ended(pid) == "reason"
    assert world.until(lambda: asker.got(Response)) == Response("tag", 0)
    assert world.until(lambda: other.got(Response)) == Response("tag", 1)


def test_state_enter(world):
    """The Enter call comes at the start, at every change and at every repeat, before any other event."""

    def start(event, data):
        match event:
            case Enter():
                return KeepState(actions=state_timeout(0, "entered"))
            case Cast("go"):
                return NextState("end", actions=NextEvent(Internal("first")))
            case Cast("again"):
                return RepeatState()
            case Cast("stay"):
                return NextState("start")
        return KeepState()

    pid, seen = scripted(world, Entering, start=start, end=keep())
    for message in ("stay", "again", "go"):
        world.system.cast(pid, message)
    world.until(lambda: ("end", Internal("first")) in seen)
    assert seen[0] == ("start", Enter("start")) and seen[1] == ("start", TimedOut(STATE_TIMEOUT, "entered"))
    assert [event for _, event in seen if isinstance(event, Enter)] == [Enter("start"), Enter("start"), Enter("start")]
    assert seen[-2:] == [("end", Enter("start")), ("end", Internal("first"))]


def test_state_enter_may_neither_postpone_nor_insert_nor_leave(world):
    for forbidden in (KeepState(actions=Postpone()), KeepState(actions=NextEvent(Internal(1))), NextState("other")):
        script = {"start": lambda event, data, forbidden=forbidden: forbidden}
        pid = world.system.spawn(Entering, {"script": script})
        assert "BadAction" in str(world.ended(pid))


def test_event_order(world):
    """Inserted events first, then those postponed, oldest first, then a time-out of zero unless another event came."""

    def start(event, data):
        match event:
            case Cast("go"):
                inserted = [NextEvent(Internal(1)), NextEvent(Internal(2))]
                return NextState("buffer", actions=[*inserted, event_timeout(0, "never"), state_timeout(0, "last")])
        return KeepState(actions=Postpone())

    pid, seen = scripted(world, start=start, buffer=keep())
    debug.suspend(world.system, pid)
    for message in ("early1", "early2", "go", "late"):
        world.system.cast(pid, message)
    debug.resume(world.system, pid)
    world.until(lambda: len(seen) == 9)
    assert [event for state, event in seen if state == "buffer"] == [
        Internal(1),
        Internal(2),
        Cast("early1"),
        Cast("early2"),
        TimedOut(STATE_TIMEOUT, "last"),
        Cast("late"),
    ]


def test_postponed_events_wait_for_a_change_of_state(world):
    def start(event, data):
        match event:
            case Cast("go"):
                return NextState("ready")
            case Cast("same"):
                return NextState("start")
        return KeepState(actions=Postpone())

    pid, seen = scripted(world, start=start, ready=keep())
    for message in ("x", "same", "go"):
        world.system.cast(pid, message)
    world.until(lambda: ("ready", Cast("x")) in seen)
    assert [event for state, event in seen if state == "start"] == [Cast("x"), Cast("same"), Cast("go")]


def test_state_timeout(world):
    """Lives as long as its state; events leave it alone, a new one replaces it, a change of state ends it."""

    def start(event, data):
        match event:
            case Cast("arm"):
                return KeepState(actions=state_timeout(0.02, "first"))
            case Cast("again"):
                return KeepState(actions=state_timeout(0.03, "second"))
            case TimedOut(_, "second"):
                return NextState("next", actions=Timer(STATE_TIMEOUT, 0.01, "third"))
        return KeepState()

    def after(event, data):
        match event:
            case TimedOut(_, "third"):
                return KeepState(actions=[state_timeout(0.02, "never"), NextEvent(Internal("leave"))])
            case Internal("leave"):
                return NextState("end", actions=Timer("done", 0.05))
        return KeepState()

    pid, seen = scripted(world, start=start, next=after, end=keep())
    for message in ("arm", "again", "disturbs"):
        world.system.cast(pid, message)
    world.until(lambda: ("end", TimedOut("done", None)) in seen)
    assert [event.content for _, event in seen if isinstance(event, TimedOut)] == ["second", "third", None]


def test_timeout_cancel_and_update(world):
    def start(event, data):
        match event:
            case Cast("cancel"):
                return KeepState(
                    actions=[Timer("t", 0.02, 1), Timer("t", None), Timer("u", 0.03, "old"), Update("u", "new")]
                )
            case Cast("update"):
                return KeepState(actions=Update("not armed", "at once"))
        return KeepState()

    pid, seen = scripted(world, start=start)
    world.system.cast(pid, "cancel")
    world.until(lambda: len(seen) == 2)
    assert seen[1] == ("start", TimedOut("u", "new"))
    world.system.cast(pid, "update")
    world.until(lambda: len(seen) == 4)
    assert seen[3] == ("start", TimedOut("not armed", "at once"))


def test_event_timeout_is_cancelled_by_any_event(world):
    def start(event, data):
        match event:
            case Cast("arm"):
                return KeepState(actions=[event_timeout(0.02, "quiet"), Timer("other", 0.01)])
            case Cast("alone"):
                return KeepState(actions=event_timeout(0.01, "quiet"))
        return KeepState()

    pid, seen = scripted(world, start=start)
    world.system.cast(pid, "arm")
    world.until(lambda: ("start", TimedOut("other", None)) in seen)
    world.system.cast(pid, "alone")
    world.until(lambda: ("start", TimedOut("timeout", "quiet")) in seen)
    assert len(seen) == 4


def test_event_types(world):
    asker = world.probe()
    pid, seen = scripted(world, actions=[NextEvent(Internal(0)), Timer("named", 0, 1)], start=keep())
    asker.run(lambda probe: probe.send_request(pid, 2, "tag"))
    world.until(lambda: len(seen) == 3)
    world.system.cast(pid, 3)
    world.system.info(pid, 4)
    world.until(lambda: len(seen) == 5)
    assert [type(event) for _, event in seen] == [Internal, TimedOut, Call, Cast, Info]


def test_generic_timers(world):
    """As many as there are names; they outlive their state."""

    def start(event, data):
        if event == Cast("go"):
            return NextState("end", actions=[Timer(name, name / 100, name) for name in (1, 2, 3)])
        return KeepState()

    pid, seen = scripted(world, start=start, end=lambda event, data: NextState("start" if event.name == 1 else "end"))
    world.system.cast(pid, "go")
    world.until(lambda: len(seen) == 4)
    assert [event.name for _, event in seen[1:]] == [1, 2, 3]
    assert [state for state, _ in seen[1:]] == ["end", "start", "start"]


class Newer(Phone):
    def code_change(self, old_vsn: Any, state: Any, data: Any, extra: Any) -> Any:
        return state, (old_vsn, data, extra)

    def anywhere(self, event: Any, data: Any) -> Any:
        return KeepState(actions=ReplyTo(event.sender, "newer"))


def test_code_change(world, start):
    pid = start()
    debug.suspend(world.system, pid)
    debug.change_code(world.system, pid, f"{__name__}:Newer", 1, "extra")
    debug.resume(world.system, pid)
    assert debug.get_state(world.system, pid) == ("idle", (1, 0, "extra"))
    assert world.system.call(pid, "x") == "newer"


def test_sys1(world, start):
    pid = start()
    assert debug.get_status(world.system, pid).status == "running"
    debug.suspend(world.system, pid)
    with pytest.raises(CallTimeout):
        world.system.call(pid, "x", 0.01)
    debug.resume(world.system, pid)
    assert world.system.call(pid, "y") == "y"


def test_call_format_status(world, start):
    assert debug.get_status(world.system, start()).state == ("formatted", "idle")


def test_error_format_status(world, start):
    pid = start()
    world.system.info(pid, "crash")
    assert str(world.ended(pid)) == "ValueError: crashed"
    assert world.reports("terminate")[0]["state"] == "('formatted', 'idle')"
    assert world.system.env["terminated"][0][1:] == ("idle", 0)


def test_get_state(world, start):
    assert debug.get_state(world.system, start()) == ("idle", 0)


def test_replace_state(world, start):
    pid = start()
    assert debug.replace_state(world.system, pid, lambda both: ("open", both[1] + 5)) == ("open", 5)
    assert world.system.call(pid, "hang up") == "silent"
    with pytest.raises(debug.CallbackFailed):
        debug.replace_state(world.system, pid, lambda both: 1 / 0)
    assert debug.get_state(world.system, pid) == ("idle", 5)


class Plain(GenStatem):
    def init(self, args: dict[str, Any]) -> Any:
        return Begin("start", "data")

    def handle_event(self, event: Any, state: Any, data: Any) -> Any:
        return undefined_name  # noqa: F821


def test_undef_code_change(world):
    pid = world.system.spawn(Plain)
    debug.suspend(world.system, pid)
    debug.change_code(world.system, pid)
    assert debug.get_state(world.system, pid) == ("start", "data")


def test_undef_terminate1(world):
    pid = world.system.spawn(Plain)
    world.system.stop_process(pid)
    assert world.ended(pid) == "normal"


def test_undef_terminate2(world):
    pid = world.system.spawn(Plain)
    world.system.stop_process(pid, ("other", "reason"))
    assert world.ended(pid) == ("other", "reason")


def test_terminate_crash_format(world):
    class Clumsy(Phone):
        def terminate(self, reason: Any, state: Any, data: Any) -> None:
            raise OSError("in terminate")

    pid = world.system.spawn(Clumsy)
    world.system.cast(pid, "x")
    debug.terminate(world.system, pid, "normal")
    assert str(world.ended(pid)) == "OSError: in terminate"
    assert world.reports("terminate")[0]["state"] == "('formatted', 'idle')"


def test_undef_in_terminate(world):
    class Clumsy(Plain):
        def terminate(self, reason: Any, state: Any, data: Any) -> None:
            return undefined_name  # noqa: F821

    pid = world.system.spawn(Clumsy)
    with pytest.raises(ProcessDown, match="undefined_name"):
        world.system.stop_process(pid)


def test_an_undefined_name_in_a_handler_ends_the_machine(world):
    pid = world.system.spawn(Plain)
    world.system.cast(pid, "x")
    assert "undefined_name" in str(world.ended(pid))


def test_a_machine_is_supervised_like_any_process(world):
    world.sup(Child("phone", Phone))
    assert works(world, "phone")
    world.system.kill("phone")
    world.children()
    assert debug.get_state(world.system, "phone") == ("idle", 0)
