"""GenServer on threads: calls, casts, timers, ends. Case names of gen_server_SUITE where they fit."""

import threading

import pytest

from flurm.otp import (
    CallTimeout,
    Child,
    Crash,
    Down,
    Exit,
    GenServer,
    NoProcess,
    NoReply,
    Ok,
    ProcessDown,
    Reply,
    Response,
    ResponseDown,
    StartError,
    Stop,
    System,
    Timeout,
    debug,
)
from tests.otp.actors import Counter, Watch, eventually, running


@pytest.fixture
def system():
    system = System()
    yield system
    system.stop(timeout_s=10)


def run(system, name, function):
    """Run `function(actor)` inside a process, return what it returned."""
    return system.call(name, ("run", function))


def test_start_waits_for_init_and_reports_its_reason(system):
    with pytest.raises(StartError) as error:
        system.spawn(Counter, {"init": "stop"}, "a")
    assert error.value.reason == "not today"
    with pytest.raises(StartError) as error:
        system.spawn(Counter, {"init": "raise"}, "a")
    assert isinstance(error.value.reason, Crash) and str(error.value.reason) == "ValueError: bad init"
    with pytest.raises(StartError, match="TypeError"):
        system.spawn(Counter, {"init": "nonsense"}, "a")
    assert system.whereis("a") is None


def test_start_ignore_gives_no_pid(system):
    assert system.spawn(Counter, {"init": "ignore"}, "a") is None
    assert system.whereis("a") is None


def test_start_refuses_a_name_that_is_taken(system):
    pid = system.spawn(Counter, name="a")
    with pytest.raises(StartError) as error:
        system.spawn(Counter, name="a")
    assert error.value.reason == ("already_started", pid)


def test_call_answers_by_name_and_by_pid(system):
    pid = system.spawn(Counter, name="a")
    assert system.call("a", 1) == system.call(pid, 1) == 1
    assert str(pid).startswith("<0.")


def test_cast_and_info_arrive_in_order(system):
    system.spawn(Counter, name="a")
    for number in range(100):
        (system.cast if number % 2 else system.info)("a", number)
    assert system.call("a", "seen") == list(range(100))


def test_cast_to_nobody_is_swallowed(system):
    system.cast("nobody", 1)
    system.info("nobody", 1)


def test_call_to_nobody_fails_at_once(system):
    with pytest.raises(NoProcess):
        system.call("nobody", 1)


def test_call_timeout(system):
    system.spawn(Counter, name="a")
    with pytest.raises(CallTimeout):
        system.call("a", "never", timeout_s=0.01)
    assert system.call("a", 1) == 1
    assert not system.find("a").pending


@pytest.mark.parametrize(("request_", "reason"), [("boom", "ValueError: boom"), ("exit", "SystemExit: 3")])
def test_crash_in_a_call_kills_the_process_and_tells_the_caller_why(system, request_, reason):
    system.spawn(Counter, name="a")
    with pytest.raises(ProcessDown) as error:
        system.call("a", request_)
    assert str(error.value.reason) == reason
    system.wait("a")
    assert system.whereis("a") is None


def test_bad_return_value_kills_the_process(system):
    system.spawn(Counter, name="a")
    with pytest.raises(ProcessDown, match="bad return value 42"):
        system.call("a", "nonsense")


def test_a_crash_takes_along_nobody_else(system):
    system.spawn(Counter, name="a")
    system.spawn(Counter, name="b")
    with pytest.raises(ProcessDown):
        system.call("a", "exit")
    assert system.call("b", 1) == 1


def test_stop_replies_after_terminate(system):
    ended = Watch()
    system.env["terminated"] = ended
    pid = system.spawn(Counter, name="a")
    assert system.call("a", "stop") == "bye"
    assert ended.seen == [("a", "normal")]
    assert system.wait(pid) == "noproc"


def test_a_reply_with_stop_always_arrives_before_the_news_of_the_exit(system):
    for _ in range(300):
        assert system.call(system.spawn(Counter), "stop") == "bye"


def test_reply_from_another_thread(system):
    system.spawn(Counter, name="a")

    def answer():
        system.reply(eventually(lambda: debug.get_state(system, "a"))[0], "late")

    helper = threading.Thread(target=answer)
    helper.start()
    assert system.call("a", "later") == "late"
    helper.join()


def test_a_reply_after_the_timeout_goes_nowhere(system):
    system.spawn(Counter, name="a")
    with pytest.raises(CallTimeout):
        system.call("a", "later", timeout_s=0.01)
    sender = debug.get_state(system, "a")[0]
    system.reply(sender, "too late")
    assert system.call("a", 1) == 1


def test_callers_of_a_process_that_dies_before_it_replies_learn_why(system):
    system.spawn(Counter, name="a")
    entered, gate, reasons = threading.Event(), threading.Event(), []

    def call():
        try:
            system.call("a", "never", timeout_s=10)
        except ProcessDown as down:
            reasons.append(str(down.reason))

    callers = [threading.Thread(target=call) for _ in range(5)]
    for caller in callers:
        caller.start()
    blocker = threading.Thread(target=lambda: system.call("a", ("block", entered, gate)))
    blocker.start()
    assert entered.wait(10)
    system.crash("a", "told to")
    gate.set()
    for thread in [*callers, blocker]:
        thread.join(10)
    assert reasons == ["CrashRequested: told to"] * 5


def test_calling_oneself_is_refused(system):
    system.spawn(Counter, name="a")
    with pytest.raises(ProcessDown, match="calls itself"):
        run(system, "a", lambda actor: actor.call("a", 1))


def test_send_request_answers_as_a_message(system):
    watch = system.env["info"] = Watch()
    system.spawn(Counter, name="a")
    system.spawn(Counter, name="b")
    run(system, "a", lambda actor: actor.send_request("b", "hello", tag=7))
    assert watch.wait_for(lambda m: isinstance(m, Response)) == Response(7, "hello")
    run(system, "a", lambda actor: actor.send_request("b", "stop", tag=8))
    assert watch.wait_for(lambda m: m == Response(8, "bye"))
    run(system, "a", lambda actor: actor.send_request("nobody", "hello", tag=9))
    assert watch.wait_for(lambda m: isinstance(m, ResponseDown)) == ResponseDown(9, "noproc")


def test_send_request_to_a_process_that_is_killed(system):
    watch = system.env["info"] = Watch()
    system.spawn(Counter, name="a")
    system.spawn(Counter, name="b")
    run(system, "a", lambda actor: actor.send_request("b", "never", tag=1))
    system.kill("b")
    assert watch.wait_for(lambda m: isinstance(m, ResponseDown)) == ResponseDown(1, "killed")


def test_timers_fire_in_order_of_time(system):
    watch = system.env["info"] = Watch()
    system.spawn(Counter, name="a")
    run(system, "a", lambda actor: [actor.send_after(s, s) for s in (0.03, 0.01, 0.02)])
    watch.wait_for(lambda m: m == 0.03)
    assert watch.seen == [0.01, 0.02, 0.03]


def test_a_cancelled_timer_does_not_fire(system):
    watch = system.env["info"] = Watch()
    system.spawn(Counter, name="a")
    refs = [system.send_after(0.05, number, "a") for number in range(1000)]
    lefts = [system.cancel_timer(ref) for ref in reversed(refs)][::-1]
    came_first = [number for number, left in enumerate(lefts) if left is None]
    assert len(came_first) < 1000 and all(0 <= left <= 0.05 for left in lefts if left is not None)
    assert system.cancel_timer(refs[-1]) is None
    system.send_after(0.06, "yes", "a")
    watch.wait_for(lambda m: m == "yes")
    assert watch.seen == [*came_first, "yes"]


class Idler(GenServer):
    def init(self, args):
        return Ok([], timeout_s=0.01, continue_=args.get("continue_"))

    def handle_continue(self, what, state):
        return NoReply([what], timeout_s=0.01)

    def handle_info(self, message, state):
        assert isinstance(message, Timeout)
        self.system.env["idle"]((*state, "timeout"))
        return Stop("normal", state)

    def handle_call(self, request, sender, state):
        return Reply(state, state)


def test_init_timeout_and_continue(system):
    watch = system.env["idle"] = Watch()
    system.spawn(Idler)
    system.spawn(Idler, {"continue_": "first"})
    watch.wait_for(lambda m: True, times=2)
    assert sorted(watch.seen) == [("first", "timeout"), ("timeout",)]


def test_continue_runs_before_the_first_message(system):
    system.env["idle"] = Watch()
    pid = system.spawn(Idler, {"continue_": "first"})
    assert system.call(pid, "state") == ["first"]


def test_monitor_sends_one_down_last(system):
    watch = system.env["info"] = Watch()
    system.spawn(Counter, name="a")
    pid = system.spawn(Counter, name="b")
    ref = run(system, "a", lambda actor: actor.monitor("b"))
    with pytest.raises(ProcessDown):
        system.call("b", "boom")
    down = watch.wait_for(lambda m: isinstance(m, Down))
    assert (down.ref, down.target, down.pid, str(down.reason)) == (ref, "b", pid, "ValueError: boom")
    assert system.whereis("b") is None
    run(system, "a", lambda actor: actor.monitor("b"))
    assert watch.wait_for(lambda m: isinstance(m, Down), times=2).reason == "noproc"


def test_demonitor_and_the_end_of_the_watcher_leave_nothing_behind(system):
    system.spawn(Counter, name="a")
    system.spawn(Counter, name="b")
    run(system, "a", lambda actor: actor.demonitor(actor.monitor("b")))
    run(system, "a", lambda actor: actor.monitor("b"))
    assert len(system.find("b").monitors) == 1
    system.kill("a")
    assert not system.find("b").monitors and not system.monitored


def test_a_link_kills_and_a_trapped_exit_is_a_message(system):
    watch = system.env["info"] = Watch()
    system.spawn(Counter, name="plain")
    system.spawn(Counter, {"trap": True}, "trapping")
    pid = system.spawn(Counter, name="c")
    run(system, "c", lambda actor: [actor.link("plain"), actor.link("trapping")])
    plain = system.find("plain")
    system.exit("c", "bad")
    assert watch.wait_for(lambda m: isinstance(m, Exit)) == Exit(pid, "bad")
    assert plain.actor_stopped.wait(10) and plain.reason == "bad"


def test_a_normal_exit_does_not_kill_what_is_linked(system):
    system.spawn(Counter, name="a")
    system.spawn(Counter, name="b")
    run(system, "a", lambda actor: actor.link("b"))
    system.call("a", "stop")
    assert system.call("b", 1) == 1


def test_an_exit_signal_overtakes_the_inbox(system):
    system.spawn(Counter, name="a")
    process, entered, gate = system.find("a"), threading.Event(), threading.Event()
    blocker = threading.Thread(target=lambda: system.call("a", ("block", entered, gate)))
    blocker.start()
    assert entered.wait(10)
    for _ in range(100):
        system.cast("a", 1)
    system.exit("a", "now")
    gate.set()
    assert process.actor_stopped.wait(10)
    blocker.join(10)
    assert (process.reason, process.handled) == ("now", 1)


def test_an_exit_signal_ends_the_wait_in_a_call(system):
    ended = system.env["terminated"] = Watch()
    system.spawn(Counter, name="a")
    system.spawn(Counter, name="b")
    process = system.find("a")
    system.cast("a", ("run", lambda actor: actor.call("b", "never", timeout_s=60)))
    eventually(lambda: process.waiting)
    system.exit("a", "shutdown")
    assert process.actor_stopped.wait(10)
    assert ended.seen == [("a", "shutdown")]


def test_a_handler_that_works_for_long_can_see_that_it_shall_exit(system):
    system.spawn(Counter, name="a")
    process = system.find("a")
    system.cast("a", ("run", lambda actor: eventually(actor.told_to_exit)))
    system.exit("a", "shutdown")
    assert process.actor_stopped.wait(10)


def test_kill_frees_the_name_at_once_and_fences_the_thread():
    with running(Child("a", Counter), Child("b", Counter)) as system:
        entered, gate, outcome = threading.Event(), threading.Event(), Watch()

        def zombie(actor):
            entered.set()
            gate.wait(10)
            try:
                actor.cast("b", "from the grave")
            except BaseException as error:
                outcome(type(error).__name__)
                raise

        old = system.whereis("a")
        system.cast("a", ("run", zombie))
        assert entered.wait(10)
        system.kill("a")
        assert system.whereis("a") != old
        with pytest.raises(NoProcess):
            system.call(old, 1)
        gate.set()
        assert outcome.wait_for(lambda name: name == "ProcessExit")
        assert system.call("b", "seen") == []


def test_sys_suspend_holds_messages_and_resume_keeps_their_order(system):
    system.spawn(Counter, name="a")
    debug.suspend(system, "a")
    for number in range(10):
        system.cast("a", number)
    assert debug.get_state(system, "a") == []
    assert system.find("a").status == "suspended"
    debug.resume(system, "a")
    system.cast("a", 10)
    assert system.call("a", "seen") == list(range(11))


def test_sys_terminate_while_suspended(system):
    system.spawn(Counter, name="a")
    process = system.find("a")
    debug.suspend(system, "a")
    system.exit("a", "shutdown")
    assert process.actor_stopped.wait(10)


def test_sys_replace_state(system):
    system.spawn(Counter, name="a")
    assert debug.replace_state(system, "a", lambda state: [*state, 5]) == [5]
    assert system.call("a", "seen") == [5]


def test_tap_sees_every_message(system):
    seen = []
    system.tap = lambda *what: seen.append(what)
    system.spawn(Counter, name="a")
    system.spawn(Counter, name="b")
    run(system, "a", lambda actor: [actor.call("b", 1), actor.cast("b", "x"), actor.info("b", 1.0)])
    assert seen == [
        ("", "a", "call", tuple),
        ("a", "b", "call", int),
        ("a", "b", "cast", str),
        ("a", "b", "info", float),
    ]
