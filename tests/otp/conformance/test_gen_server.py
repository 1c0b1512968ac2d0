"""gen_server_SUITE of OTP by its names. See docs/otp-conformance.md."""

import pytest

from flurm.otp import (
    CallTimeout,
    Crash,
    Down,
    Exit,
    GenServer,
    NoProcess,
    NoReply,
    Ok,
    Overloaded,
    ProcessDown,
    Reply,
    Response,
    ResponseDown,
    StartError,
    Stop,
    StopInit,
    Timeout,
    debug,
)


class Server(GenServer):
    """Does what it is asked to."""

    def init(self, args):
        self.trap_exit(args.get("trap", False))
        match args.get("init"):
            case "stop":
                return StopInit("stopped")
            case "error":
                return StopInit("foobar", silent=True)
            case "sleep":
                self.call("sleeper", "never", timeout_s=1e6)
            case "raise":
                raise ValueError("no")
        return Ok(args.get("state", []), args.get("continue_"), args.get("timeout_s"))

    def handle_call(self, request, sender, state):
        match request:
            case ("run", function):
                return function(self, sender, state)
            case "never":
                return NoReply(state)
        return Reply(request, state)

    def handle_cast(self, message, state):
        return message(self, None, state) if callable(message) else NoReply([*state, message])

    def handle_info(self, message, state):
        return message(self, None, state) if callable(message) else NoReply([*state, message])

    def handle_continue(self, what, state):
        return what(self, None, state) if callable(what) else NoReply([*state, what])

    def terminate(self, reason, state):
        self.system.env.setdefault("terminated", []).append(reason)
        if callable(state):
            state()

    def format_status(self, state):
        return ("formatted", state)


class Bare(GenServer):
    """Has no handler at all."""


@pytest.fixture
def start(world):
    return lambda args=None, name=None: world.system.spawn(Server, args or {}, name)


def run(world, target, function, timeout_s=5.0):
    return world.system.call(target, ("run", function), timeout_s)


def stopping(reason, *reply):
    return lambda server, sender, state: Stop(reason, state, *reply)


def raising(error):
    def handler(server, sender, state):
        raise error

    return handler


def refused(world, **args):
    with pytest.raises(StartError) as error:
        world.system.spawn(Server, args, "my_test_name", timeout_s=0.05)
    assert world.system.whereis("my_test_name") is None
    return error.value.reason


def test_start(world, start):
    system = world.system
    assert system.call(start(), "started_p") == "started_p"
    assert refused(world, init="stop") == "stopped"
    assert refused(world, init="error") == "foobar"
    system.spawn(Server, {}, "sleeper")
    assert refused(world, init="sleep") == "timeout"
    pid = start(name="my_test_name")
    with pytest.raises(StartError) as error:
        start(name="my_test_name")
    assert error.value.reason == ("already_started", pid)
    system.stop_process(pid)
    with pytest.raises(NoProcess):
        system.call(pid, "started_p")
    parent = world.probe()
    linked = parent.run(lambda probe: probe.start_link(Server))
    assert run(world, linked, stopping("stopped", "ok")) == "ok"
    assert world.until(lambda: parent.got(Exit)) == Exit(linked, "stopped")
    watched, ref = parent.run(lambda probe: probe.start_monitor(Server, {}, "my_test_name"))
    assert run(world, "my_test_name", stopping("stopped", "ok")) == "ok"
    assert world.until(lambda: parent.got(Down)) == Down(ref, watched, watched, "stopped")


def test_start_event_timeout(world, start):
    pid = start({"timeout_s": 0.01})
    world.until(lambda: debug.get_state(world.system, pid) == [Timeout()])
    pid = start({"timeout_s": 30.0})
    assert world.system.call(pid, "ping") == "ping"
    assert debug.get_state(world.system, pid) == []


def test_start_event_timeout_zero(world, start):
    """A time-out of zero comes at once where nothing waits, and before what comes later."""
    pid = start({"timeout_s": 0})
    world.until(lambda: debug.get_state(world.system, pid) == [Timeout()])
    world.system.cast(pid, "after")
    world.until(lambda: debug.get_state(world.system, pid) == [Timeout(), "after"])


def test_stop1(world, start):
    pid = start()
    world.system.stop_process(pid)
    assert not world.system.is_alive(pid) and world.ended(pid) == "normal"
    with pytest.raises(NoProcess):
        world.system.stop_process(pid)


def test_stop2(world, start):
    pid = start()
    world.system.stop_process(pid, "other_reason")
    assert world.ended(pid) == "other_reason"
    assert world.system.env["terminated"] == ["other_reason"]


def test_stop3(world, start):
    pid = start()
    with pytest.raises(ValueError, match="timeout_s is -1"):
        world.system.stop_process(pid, "other_reason", -1)
    assert world.system.is_alive(pid)
    world.system.stop_process(pid)


def test_stop4(world, start):
    start(name="to_stop")
    world.system.stop_process("to_stop")
    assert world.system.whereis("to_stop") is None
    with pytest.raises(NoProcess):
        world.system.stop_process("to_stop")


def test_stop_of_one_that_fails_at_it_says_so(world, start):
    with pytest.raises(ProcessDown, match="OSError: disk"):
        world.system.stop_process(start({"state": lambda: (_ for _ in ()).throw(OSError("disk"))}))


@pytest.mark.parametrize("reason", ["normal", "shutdown", ("shutdown", "reason")])
def test_crash_orderly_ends_leave_no_report(world, start, reason):
    pid = start()
    with pytest.raises(ProcessDown) as error:
        run(world, pid, stopping(reason))
    assert error.value.reason == reason
    world.ended(pid)
    assert world.reports("crash") == world.reports("terminate") == []


def test_crash(world, start):
    """A crash makes two reports: the server's own, and the runtime's."""
    pid = start({"state": "state4"})
    with pytest.raises(ProcessDown) as error:
        run(world, pid, raising(ValueError("crashed")))
    assert isinstance(error.value.reason, Crash)
    world.ended(pid)
    [crash], [terminate] = world.reports("crash"), world.reports("terminate")
    assert (crash["pid"], crash["error_info"], crash["trap_exit"]) == (str(pid), "ValueError: crashed", False)
    assert "in handler" in crash["traceback"]
    assert terminate["state"] == "('formatted', 'state4')" and "run" in terminate["last_message"]


def test_loop_start_fail(world):
    """A child that fails at its start tells its parent by the answer alone."""
    parent = world.probe()
    for init in ("stop", "error", "raise"):
        with pytest.raises(ProcessDown, match="did not start"):
            world.probe().run(lambda probe, init=init: probe.start_link(Server, {"init": init}))

    def tries(probe):
        with pytest.raises(StartError):
            probe.start_link(Server, {"init": "stop"})
        with pytest.raises(StartError):
            probe.start_monitor(Server, {"init": "stop"})

    parent.run(tries)
    assert parent.run(lambda probe: probe.pid) is parent.pid and parent.seen == []


def test_call(world, start):
    system = world.system
    pid = start(name="my_test_name")
    assert system.call("my_test_name", "started_p") == "started_p"

    with pytest.raises(CallTimeout):
        system.call(pid, "never", timeout_s=0.01)
    assert system.call(pid, "still there") == "still there"
    with pytest.raises(ProcessDown, match="bad return value 'badreturn'"):
        run(world, pid, lambda server, sender, state: "badreturn")


def test_call_may_be_answered_later_and_from_elsewhere(world, start):
    def keeps(server, sender, state):
        return NoReply([sender])

    pid, asker = start(), world.probe()
    asker.begin(lambda probe: probe.info(probe.pid, probe.call(pid, ("run", keeps))))
    [sender] = world.until(lambda: debug.get_state(world.system, pid))
    world.system.reply(sender, "delayed")
    world.system.reply(sender, "again")  # goes nowhere
    world.until(lambda: asker.seen == ["delayed"])


def test_send_request(world, start):
    asker, pid = world.probe(), start()
    asker.run(lambda probe: probe.send_request(pid, "hello", "tag"))
    assert world.until(lambda: asker.got(Response)) == Response("tag", "hello")
    asker.run(lambda probe: probe.send_request(pid, ("run", stopping("bad")), "tag2"))
    assert world.until(lambda: asker.got(ResponseDown)) == ResponseDown("tag2", "bad")


def test_send_request_receive_reqid_collection(world, start):
    """Many requests are under way at once, and told apart by their tags, in whatever order they are answered."""
    asker, servers = world.probe(), [start() for _ in range(10)]

    def ask_all(probe):
        for tag, pid in enumerate(servers):
            probe.send_request(pid, tag * tag, tag)

    asker.run(ask_all)
    world.until(lambda: len(asker.seen) == 10)
    assert {answer.tag: answer.value for answer in asker.seen} == {tag: tag * tag for tag in range(10)}


def test_cast(world, start):
    pid = start()
    world.system.cast(pid, "message")
    assert debug.get_state(world.system, pid) in ([], ["message"])
    world.until(lambda: debug.get_state(world.system, pid) == ["message"])
    world.system.cast(pid, stopping("stopped"))
    assert world.ended(pid) == "stopped"


def test_cast_fast(world, start):
    """A cast to nobody costs nothing and says nothing."""
    world.system.cast("nobody", "message")
    pid = start()
    world.system.kill(pid)
    world.system.cast(pid, "message")


def test_info(world, start):
    pid = start()
    world.system.info(pid, "message")
    world.until(lambda: debug.get_state(world.system, pid) == ["message"])
    world.system.info(pid, stopping("stopped"))
    assert world.ended(pid) == "stopped"


def test_continue(world, start):
    """A continuation runs before whatever waits, after init and after every handler, and may have one itself."""
    pid = start({"continue_": "first"})
    assert debug.get_state(world.system, pid) == ["first"]

    def chain(server, sender, state):
        server.cast(server.pid, "waits")
        return Reply("ok", state, continue_=lambda server, _sender, state: NoReply([*state, "one"], continue_="two"))

    run(world, pid, chain)
    world.until(lambda: debug.get_state(world.system, pid) == ["first", "one", "two", "waits"])
    run(world, pid, lambda server, sender, state: Reply("ok", state, continue_=stopping("continued")))
    assert world.ended(pid) == "continued"


def test_handle_event_timeout(world, start):
    """Any message in time cancels it."""
    pid = start()
    run(world, pid, lambda server, sender, state: Reply("ok", state, timeout_s=0.01))
    world.until(lambda: debug.get_state(world.system, pid) == [Timeout()])
    run(world, pid, lambda server, sender, state: Reply("ok", [], timeout_s=3000))
    world.system.cast(pid, "message")
    world.until(lambda: debug.get_state(world.system, pid) == ["message"])


def test_handle_event_timeout_zero(world, start):
    pid = start()
    for kind in (world.system.cast, world.system.info):
        kind(pid, lambda server, sender, state: NoReply([], timeout_s=0))
        world.until(lambda: debug.get_state(world.system, pid) == [Timeout()])


def test_handle_event_timeout_plain(world, start):
    """Messages that wait come before a time-out."""
    pid = start()

    def busy(server, sender, state):
        server.cast(server.pid, "waits")
        return NoReply([], timeout_s=0)

    world.system.cast(pid, busy)
    world.until(lambda: debug.get_state(world.system, pid))
    assert debug.get_state(world.system, pid) == ["waits"]


def test_calling_self(world, start):
    with pytest.raises(ProcessDown, match="calls itself"):
        run(world, start(), lambda server, sender, state: Reply(server.call(server.pid, "me"), state))


def test_otp_7669(world):
    """A process whose init takes too long is gone with its name when the starter hears of it."""
    world.system.spawn(Server, {}, "sleeper")
    assert refused(world, init="sleep") == "timeout"
    assert [process.name for process in world.system.processes()] == ["sleeper"]


def test_call_format_status(world, start):
    pid = start({"state": "secret"}, "named")
    status = debug.get_status(world.system, pid)
    assert (status.pid, status.name, status.state) == (pid, "named", ("formatted", "secret"))
    assert (status.module, status.status) == (f"{__name__}:Server", "running")


def test_error_format_status(world, start):
    pid = start({"state": "secret"})
    world.system.crash(pid)
    world.ended(pid)
    [report] = world.reports("terminate")
    assert report["state"] == "('formatted', 'secret')"


def test_terminate_crash_format(world, start):
    def bad():
        raise OSError("in terminate")

    pid = start({"state": bad})
    world.system.cast(pid, stopping("normal"))
    assert str(world.ended(pid)) == "OSError: in terminate"
    assert "formatted" in world.reports("terminate")[0]["state"]


class Shy(Server):
    def format_status(self, state):
        raise ValueError(state)


def test_crash_in_format_status(world):
    pid = world.system.spawn(Shy, {"state": "secret"})
    shown = debug.get_status(world.system, pid).state
    assert shown.endswith("Shy.format_status failed: ValueError")
    world.system.crash(pid)
    world.ended(pid)
    assert "secret" not in str(world.reports("terminate")[0]["state"])


def test_get_state(world, start):
    pid = start({"state": ["state"]})
    assert debug.get_state(world.system, pid) == ["state"]
    debug.suspend(world.system, pid)
    assert debug.get_state(world.system, pid) == ["state"]


def test_replace_state(world, start):
    pid = start({"state": [1]})
    assert debug.replace_state(world.system, pid, lambda state: [*state, 2]) == [1, 2]
    with pytest.raises(debug.CallbackFailed, match="ZeroDivisionError"):
        debug.replace_state(world.system, pid, lambda state: 1 / 0)
    assert debug.get_state(world.system, pid) == [1, 2]


def test_call_with_huge_message_queue(world, start):
    """A caller with much in its own mailbox is answered as fast as any."""
    asker, pid = world.probe(), start()
    asker.begin(lambda probe: [probe.info(probe.pid, n) for n in range(10_000)] and probe.info(pid, probe.call(pid, 1)))
    world.until(lambda: debug.get_state(world.system, pid) == [1])


def undefined(world, how, what):
    pid = world.system.spawn(Bare)
    if how == "call":
        with pytest.raises(ProcessDown, match=what):
            world.system.call(pid, "x")
    else:
        world.system.cast(pid, "x")
    assert what in str(world.ended(pid))


def test_undef_handle_call(world):
    undefined(world, "call", "takes no call")


def test_undef_handle_cast(world):
    undefined(world, "cast", "takes no cast")


def test_undef_handle_info(world):
    """Unexpected infos are let go, as OTP's default does."""
    pid = world.system.spawn(Bare)
    world.system.info(pid, "x")
    assert debug.get_state(world.system, pid) is None


def test_undef_handle_continue(world):
    class Continues(Bare):
        def init(self, args):
            return Ok(None, continue_="on")

    pid = world.system.spawn(Continues)
    assert "takes no continue" in str(world.ended(pid))


def test_undef_code_change(world):
    pid = world.system.spawn(Bare)
    debug.suspend(world.system, pid)
    debug.change_code(world.system, pid, None, 1, None)
    debug.resume(world.system, pid)
    assert debug.get_state(world.system, pid) is None


def test_undef_terminate1(world):
    pid = world.system.spawn(Bare)
    world.system.stop_process(pid)
    assert world.ended(pid) == "normal"


def test_undef_terminate2(world):
    pid = world.system.spawn(Bare)
    world.system.stop_process(pid, {"other": "reason"})
    assert world.ended(pid) == {"other": "reason"}


def test_undef_in_terminate(world, start):
    pid = start({"state": lambda: undefined_name})  # noqa: F821
    world.system.cast(pid, stopping("normal"))
    assert "undefined_name" in str(world.ended(pid))


def test_undef_in_handle_info(world, start):
    pid = start()
    world.system.info(pid, lambda server, sender, state: undefined_name)  # noqa: F821
    assert "undefined_name" in str(world.ended(pid))


def test_a_call_to_an_overloaded_server_is_refused_at_the_door(world):
    class Small(Server):
        max_mailbox = 10

    pid = world.system.spawn(Small)
    debug.suspend(world.system, pid)
    for number in range(11):
        world.system.cast(pid, number)
    world.until(lambda: world.system.find(pid).mailbox == 11)
    with pytest.raises(Overloaded, match="11 messages wait"):
        world.system.call(pid, "one more")
    asker = world.probe()
    asker.run(lambda probe: probe.send_request(pid, "one more", "tag"))
    assert world.until(lambda: asker.got(ResponseDown)) == ResponseDown("tag", "overloaded")
    debug.resume(world.system, pid)
    world.until(lambda: world.system.find(pid).mailbox == 0)
    assert world.system.call(pid, "now") == "now"


def test_messages_of_a_coalesced_type_collapse_while_they_wait(world):
    class Sums(Server):
        coalesced = (int,)

        def coalesce(self, waiting, arrived):
            return waiting + arrived

    pid = world.system.spawn(Sums)
    debug.suspend(world.system, pid)
    for number in range(1, 101):
        world.system.cast(pid, number)
    world.system.cast(pid, "other")
    debug.resume(world.system, pid)
    world.until(lambda: debug.get_state(world.system, pid) == [5050, "other"])
    world.system.cast(pid, 1)
    world.until(lambda: debug.get_state(world.system, pid) == [5050, "other", 1])


def test_a_name_has_an_epoch_that_counts_its_holders(world, start):
    system = world.system
    assert system.epoch("a") == 0
    start(name="a")
    system.kill("a")
    start(name="a")
    assert system.epoch("a") == 2
    assert run(world, "a", lambda server, sender, state: Reply(server.epoch, state)) == 2
    anonymous = start()
    system.unregister("a")
    system.register("a", anonymous)
    assert (system.epoch("a"), system.whereis("a")) == (3, anonymous)


def test_process_groups(world, start):
    system, watcher = world.system, world.probe()
    one, two = start(), start()
    ref, members = watcher.run(lambda probe: probe.monitor_group("workers"))
    assert members == []
    system.join("workers", one, two, two)
    assert system.members("workers") == [one, two, two] and system.which_groups() == ["workers"]
    assert system.leave("workers", two) and system.members("workers") == [one, two]
    system.kill(two)
    assert system.members("workers") == [one]
    assert not system.leave("workers", two)
    world.until(lambda: len(watcher.seen) == 3)
    assert [(change.ref is ref, change.kind, change.pids) for change in watcher.seen] == [
        (True, "join", (one, two, two)),
        (True, "leave", (two,)),
        (True, "leave", (two,)),
    ]
    with pytest.raises(NoProcess):
        system.join("workers", two)


def test_links_and_trapping(world, start):
    """A link is mutual; a normal end kills nobody; a parent's end ends a child that traps exits too."""
    plain, trapping = start(), world.probe()
    other = start()
    trapping.run(lambda probe: (probe.link(plain), probe.link(other)))
    world.system.exit(plain, "bad")
    assert world.until(lambda: trapping.got(Exit)) == Exit(plain, "bad")
    assert world.system.is_alive(trapping.pid)
    child = trapping.run(lambda probe: probe.start_link(Server, {"trap": True}))
    world.system.stop_process(trapping.pid)
    assert world.ended(child) == "normal"
    assert world.system.is_alive(other)


def test_kill_cannot_be_trapped(world):
    linked, victim = world.probe(), world.probe()
    linked.run(lambda probe: probe.link(victim.pid))
    world.system.exit(victim.pid, "kill")
    assert world.until(lambda: linked.got(Exit)) == Exit(victim.pid, "killed")


def test_monitors(world, start):
    watcher, pid = world.probe(), start(name="a")
    ref = watcher.run(lambda probe: probe.monitor("a"))
    gone = watcher.run(lambda probe: probe.monitor("nobody"))
    taken_back = watcher.run(lambda probe: probe.monitor("a"))
    watcher.run(lambda probe: probe.demonitor(taken_back))
    world.system.kill("a")
    world.until(lambda: len(watcher.seen) == 2)
    assert watcher.seen == [Down(gone, "nobody", None, "noproc"), Down(ref, "a", pid, "killed")]
