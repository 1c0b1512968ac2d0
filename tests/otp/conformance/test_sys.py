"""sys_SUITE of OTP by its names. See docs/otp-conformance.md."""

import pytest

from flurm.otp import CallTimeout, GenServer, NoProcess, NoReply, Ok, ProcessDown, Reply, debug

SERVER = "sys_SUITE_server"


class Server(GenServer):
    """("req", n) -> ("ok", -n); counts its requests."""

    def init(self, args):
        return Ok(0)

    def handle_call(self, request, sender, state):
        return Reply(("ok", -request[1]), state + 1)

    def handle_cast(self, message, state):
        return NoReply(message)


class Newer(Server):
    def handle_call(self, request, sender, state):
        return Reply("newer", state)

    def code_change(self, old_vsn, state, extra):
        if extra == "fail":
            raise ValueError("cannot")
        return (old_vsn, state, extra)


@pytest.fixture
def system(world):
    world.system.spawn(Server, name=SERVER)
    return world.system


def public_call(system, number, timeout_s=5.0):
    return system.call(SERVER, ("req", number), timeout_s)


def test_log(system):
    debug.log(system, SERVER, 3)
    assert public_call(system, 44) == ("ok", -44)
    assert debug.get_log(system, SERVER) == [("in", "call", ("req", 44), None), ("out", ("ok", -44), None)]
    public_call(system, 1)
    public_call(system, 2)
    assert [event[0] for event in debug.get_log(system, SERVER)] == ["out", "in", "out"]
    assert debug.get_status(system, SERVER).debug == ("log",)
    debug.log(system, SERVER, 0)
    assert debug.get_log(system, SERVER) == []


def test_log_to_file(system, tmp_path):
    path = tmp_path / "sys.log"
    debug.log_to_file(system, SERVER, path)
    assert public_call(system, 44) == ("ok", -44)
    debug.log_to_file(system, SERVER, None)
    public_call(system, 45)
    assert path.read_text().splitlines() == [
        f"{SERVER} ('in', 'call', ('req', 44), None)",
        f"{SERVER} ('out', ('ok', -44), None)",
    ]
    with pytest.raises(debug.CallbackFailed, match="FileNotFoundError"):
        debug.log_to_file(system, SERVER, tmp_path / "no" / "such")


def test_stats(system):
    debug.statistics(system, SERVER, True)
    public_call(system, 44)
    system.cast(SERVER, 5)
    public_call(system, 45)
    counted = debug.get_statistics(system, SERVER)
    assert (counted.messages_in, counted.messages_out) == (3, 2)
    assert counted.start_s <= counted.current_s
    debug.statistics(system, SERVER, False)
    assert debug.get_statistics(system, SERVER) is None
    assert system.find(SERVER).debug is None


def test_trace(world, system):
    debug.trace(system, SERVER, True)
    public_call(system, 44)
    debug.trace(system, SERVER, False)
    public_call(system, 45)
    traced = [entry for entry in world.logs if entry["event"] == "trace"]
    assert [(entry["process"], entry["traced"]) for entry in traced] == [(SERVER, "in"), (SERVER, "out")]
    assert [entry["what"][-2] for entry in traced] == [("req", 44), ("ok", -44)]


def test_suspend(system):
    for _ in range(2):  # twice is no error
        debug.suspend(system, SERVER)
        with pytest.raises(CallTimeout):
            public_call(system, 48, 0.01)
        assert debug.get_status(system, SERVER).status == "suspended"
    for _ in range(2):
        debug.resume(system, SERVER)
        assert debug.get_status(system, SERVER).status == "running"
        assert public_call(system, 48) == ("ok", -48)


def test_install(system):
    seen = []

    def spy(state, event, process):
        if event[0] == "in":
            seen.append((state, event[2], process))
        return state + 1

    debug.install(system, SERVER, spy, 0)
    public_call(system, 1)
    debug.no_debug(system, SERVER)
    public_call(system, 2)
    debug.install(system, SERVER, spy, 0)
    debug.install(system, SERVER, spy, 0)  # a second of the same name is none
    public_call(system, 3)
    public_call(system, 4)
    debug.remove(system, SERVER, spy)
    public_call(system, 5)
    assert seen == [(0, ("req", 1), SERVER), (0, ("req", 3), SERVER), (2, ("req", 4), SERVER)]
    assert system.find(SERVER).debug is None


def test_install_ends_with_done_and_with_a_failure(system):
    calls = []

    def once(state, event, process):
        calls.append("once")
        return debug.DONE

    def broken(state, event, process):
        calls.append("broken")
        raise ValueError("debug function")

    debug.install(system, SERVER, once)
    debug.install(system, SERVER, broken, name="named")
    for _ in range(3):
        public_call(system, 1)
    assert calls == ["once", "broken"]


def test_change_code(system):
    public_call(system, 1)
    with pytest.raises(debug.NotSuspended):
        debug.change_code(system, SERVER, Newer, 1, "extra")
    debug.suspend(system, SERVER)
    with pytest.raises(debug.CallbackFailed, match="cannot"):
        debug.change_code(system, SERVER, Newer, 1, "fail")
    assert debug.get_state(system, SERVER) == 1
    debug.change_code(system, SERVER, f"{__name__}:Newer", 1, "extra")
    debug.resume(system, SERVER)
    assert debug.get_state(system, SERVER) == (1, 1, "extra")
    assert public_call(system, 1) == "newer"
    assert debug.get_status(system, SERVER).module == f"{__name__}:Newer"


def test_terminate(world, system):
    pid = system.whereis(SERVER)
    debug.suspend(system, SERVER)
    debug.terminate(system, SERVER, "because")
    assert world.ended(pid) == "because"
    with pytest.raises(NoProcess):
        debug.get_state(system, SERVER)


def test_requests_to_one_that_dies_end(world, system):
    """A request that is on its way when the process ends learns of it."""
    asker, pid = world.probe(), system.whereis(SERVER)

    def asks(probe):
        try:
            probe.info(probe.pid, debug.get_state(system, pid))
        except ProcessDown as down:
            probe.info(probe.pid, type(down))

    asker.begin(asks)
    system.kill(pid)
    [answer] = world.until(lambda: asker.seen)
    assert answer in (0, ProcessDown, NoProcess)


def test_a_process_asks_another_and_cannot_ask_itself(world, system):
    asker = world.probe()
    assert asker.run(lambda probe: debug.get_state(system, SERVER)) == 0
    with pytest.raises(ProcessDown, match="calls itself"):
        asker.run(lambda probe: debug.get_state(system, probe.pid))
