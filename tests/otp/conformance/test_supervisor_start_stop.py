"""supervisor_SUITE of OTP by its names: starts, stops and administrative calls. See docs/otp-conformance.md."""

import pytest

from flurm.otp import (
    BRUTAL,
    INFINITY,
    ONE_FOR_ALL,
    SIMPLE_ONE_FOR_ONE,
    SUPERVISOR,
    TEMPORARY,
    TRANSIENT,
    Child,
    Crash,
    Ignore,
    Refused,
    SpecError,
    StartError,
    Supervisor,
)
from tests.otp.conformance.worlds import WORKER, NeverAnswers, worker


def pool(world, **more):
    return world.sup(worker("member", **more), strategy=SIMPLE_ONE_FOR_ONE)


def refusal(function, *args):
    with pytest.raises(Refused) as error:
        function(*args)
    return error.value.reason


def test_sup_start_normal(world):
    pid = world.sup()
    world.system.stop_process(pid, "shutdown")
    assert world.ended(pid) == "shutdown"


def test_sup_start_ignore_init(world):
    assert world.system.spawn(Ignore, name="sup_test") is None
    assert world.system.whereis("sup_test") is None


def test_sup_start_ignore_child(world):
    world.sup()
    assert world.system.start_child("sup_test", worker("child1", args={"init": "ignore"})) is None
    pid = world.system.start_child("sup_test", worker("child2"))
    assert world.children() == {"child1": None, "child2": pid}
    assert world.system.count_children("sup_test") == {"specs": 2, "active": 1, "supervisors": 0, "workers": 2}


def test_sup_start_ignore_temporary_child(world):
    world.sup(worker("child1", TEMPORARY, args={"init": "ignore"}), worker("child2", TEMPORARY))
    assert list(world.children()) == ["child2"]
    assert world.system.count_children("sup_test") == {"specs": 1, "active": 1, "supervisors": 0, "workers": 1}


def test_sup_start_ignore_temporary_child_start_child(world):
    world.sup()
    assert world.system.start_child("sup_test", worker("child1", TEMPORARY, args={"init": "ignore"})) is None
    pid = world.system.start_child("sup_test", worker("child2", TEMPORARY))
    assert world.children() == {"child2": pid}


def ignored_dynamic_child_is_not_kept(world, restart):
    pool(world, restart=restart)
    assert world.system.start_child("sup_test", {"init": "ignore"}) is None
    pid = world.system.start_child("sup_test", {})
    assert world.children() == {"member": pid}
    assert world.system.count_children("sup_test") == {"specs": 1, "active": 1, "supervisors": 0, "workers": 1}
    world.system.stop_process("sup_test", "shutdown")


def test_sup_start_ignore_temporary_child_start_child_simple(world):
    ignored_dynamic_child_is_not_kept(world, TEMPORARY)


def test_sup_start_ignore_permanent_child_start_child_simple(world):
    ignored_dynamic_child_is_not_kept(world, "permanent")


def test_sup_start_error_return(world):
    def invalid():
        return "invalid"

    with pytest.raises(StartError) as error:
        world.start(invalid)
    assert error.value.reason == ("bad_return", (invalid, "init", "invalid"))


def test_sup_start_fail(world):
    def fail():
        raise ValueError("fail")

    with pytest.raises(StartError) as error:
        world.start(fail)
    assert isinstance(error.value.reason, Crash) and error.value.reason.message == "fail"
    assert world.system.processes() == []


def test_sup_start_child_returns_error(world):
    world.sup()
    start_child = world.system.start_child
    assert refusal(start_child, "sup_test", worker("child1", args={"init": "error"})) == "reason"
    crash = refusal(start_child, "sup_test", worker("child2", args={"init": "nonsense"}))
    assert "error_reason" in crash.message
    assert world.children() == {}


def test_sup_start_restart_child_returns_error(world):
    world.sup(worker("child1"))
    world.system.terminate_child("sup_test", "child1")
    world.system.env["init"] = {"child1": "raise"}
    assert refusal(world.system.restart_child, "sup_test", "child1").message == "init failed"
    assert world.children() == {"child1": None}


def test_sup_start_child_returns_error_simple(world):
    pool(world)
    assert refusal(world.system.start_child, "sup_test", {"init": "error"}) == "reason"
    assert world.children() == {}


def test_sup_start_map(world):
    world.sup(
        Child("child1", WORKER), Child("child2", WORKER, shutdown_ms=BRUTAL), Child("child3", WORKER, type=SUPERVISOR)
    )
    specs = [world.system.get_childspec("sup_test", f"child{number}") for number in (1, 2, 3)]
    assert [(spec.restart, spec.deadline_ms, spec.kind) for spec in specs] == [
        ("permanent", 5000, "worker"),
        ("permanent", BRUTAL, "worker"),
        ("permanent", INFINITY, "supervisor"),
    ]
    assert refusal(world.system.get_childspec, "sup_test", "child4") == "not_found"


def test_sup_start_map_simple(world):
    pool(world, shutdown_ms=BRUTAL)
    pid = world.system.start_child("sup_test", {})
    assert world.system.get_childspec("sup_test", pid).deadline_ms == BRUTAL


def test_sup_start_map_faulty_specs(world):
    def faulty():
        return Supervisor(children=("child4",))

    with pytest.raises(StartError) as error:
        world.start(faulty)
    assert error.value.reason == ("start_spec", "invalid child spec: 'child4'")
    with pytest.raises(TypeError, match="id"):
        Child(start=WORKER)
    with pytest.raises(TypeError, match="start"):
        Child("child2")


def test_sup_stop_infinity(world):
    one = world.sup(
        Child("child1", WORKER, shutdown_ms=INFINITY, type=SUPERVISOR), worker("child2", shutdown_ms=INFINITY)
    )
    pids = world.children().values()
    world.system.stop_process(one, "shutdown")
    assert [world.ended(pid) for pid in pids] == ["shutdown", "shutdown"]


def never_ends(world, **more):
    """A child that does not end by itself within any time; it is told so by `slow`."""
    world.system.spawn(NeverAnswers, name="never_answers")
    return worker("child2", args={"slow": True}, **more)


def test_sup_stop_timeout(world):
    sup = world.sup(worker("child1", shutdown_ms=5000), never_ends(world, shutdown_ms=20))
    children = world.children()
    world.system.stop_process(sup, "shutdown")
    assert world.ended(children["child1"]) == "shutdown"
    assert world.ended(children["child2"]) == "killed"


def test_sup_stop_timeout_dynamic(world):
    world.system.spawn(NeverAnswers, name="never_answers")
    pool(world, shutdown_ms=20)
    quick, slow = [world.system.start_child("sup_test", {"slow": slow}) for slow in (False, True)]
    world.system.stop_process("sup_test", "shutdown")
    assert (world.ended(quick), world.ended(slow)) == ("shutdown", "killed")


def test_sup_stop_brutal_kill(world):
    sup = world.sup(worker("child1"), worker("child2", shutdown_ms=BRUTAL))
    children = world.children()
    world.system.stop_process(sup, "shutdown")
    assert world.ended(children["child1"]) == "shutdown"
    assert world.ended(children["child2"]) == "killed"
    assert world.system.env["terminated"] == ["child1"]


def test_sup_stop_brutal_kill_dynamic(world):
    pool(world, shutdown_ms=BRUTAL)
    pids = [world.system.start_child("sup_test", {}) for _ in range(3)]
    world.system.stop_process("sup_test", "shutdown")
    assert [world.ended(pid) for pid in pids] == ["killed"] * 3


def test_sup_stop_race(world):
    """Children that end by themselves, each in its way, while their supervisor stops."""
    sup = world.sup(*(worker(f"child{number}", TRANSIENT) for number in range(6)))
    children = list(world.children().values())
    for pid, reason in zip(
        children, ["normal", "shutdown", ("shutdown", "why"), "abnormal", "normal", "bad"], strict=True
    ):
        world.system.cast(pid, ("stop", reason))
    world.system.stop_process(sup, "shutdown")
    assert all(world.ended(pid) for pid in children)
    assert world.system.processes() == []


def test_sup_stop_non_shutdown_exit_dynamic(world):
    pool(world)
    pid = world.system.start_child("sup_test", {"last_words": "disk gone"})
    world.system.stop_process("sup_test", "shutdown")
    assert str(world.ended(pid)) == "OSError: disk gone"


def test_child_adm(world):
    system = world.system
    world.sup(worker("child1"))
    pid = world.children()["child1"]
    assert refusal(system.start_child, "sup_test", worker("child1")) == ("already_started", pid)
    system.terminate_child("sup_test", "child1")
    assert world.children() == {"child1": None}
    assert refusal(system.start_child, "sup_test", worker("child1")) == "already_present"
    again = system.restart_child("sup_test", "child1")
    assert again not in (None, pid)
    assert refusal(system.delete_child, "sup_test", "child1") == "running"
    assert refusal(system.restart_child, "sup_test", "child1") == "running"
    system.terminate_child("sup_test", "child1")
    system.terminate_child("sup_test", "child1")  # twice is no error
    system.delete_child("sup_test", "child1")
    for ask in (system.terminate_child, system.restart_child, system.delete_child, system.get_childspec):
        assert refusal(ask, "sup_test", "child1") == "not_found"
    assert refusal(system.terminate_child, "sup_test", again) == "not_found"


def test_child_adm_simple(world):
    system = world.system
    pool(world, args={"x": 1})
    one, two = system.start_child("sup_test", {"y": 2}), system.start_child("sup_test", {})
    assert system.call(one, "args") == {"x": 1, "y": 2}
    assert refusal(system.start_child, "sup_test", ["not a dict"]) == ("invalid_extra_args", ["not a dict"])
    for ask in (system.terminate_child, system.restart_child, system.delete_child):
        assert refusal(ask, "sup_test", "member") == SIMPLE_ONE_FOR_ONE
    system.terminate_child("sup_test", one)
    assert not system.is_alive(one)
    assert refusal(system.terminate_child, "sup_test", one) == "not_found"
    assert [pid for _id, pid, _kind in system.which_children("sup_test")] == [two]
    world.end(two, "abnormal")
    [(_id, three, _kind)] = system.which_children("sup_test")
    assert three not in (None, two)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Child("child", "not a module"),
        lambda: Child("child", WORKER, restart="prmanent"),
        lambda: Child("child", WORKER, shutdown_ms=-10),
        lambda: Child("child", WORKER, shutdown_ms="soon"),
        lambda: Child("child", WORKER, type="wrker"),
        lambda: Child("child", WORKER, restart="permanent", significant=True),
    ],
)
def test_child_specs(make):
    with pytest.raises(SpecError):
        make()


def test_child_specs_map(world):
    """What is checked only where it is known: in the supervisor."""
    world.sup()
    significant = worker("child", TRANSIENT, significant=True)
    assert refusal(world.system.start_child, "sup_test", significant)[0] == "bad_combination"
    assert refusal(world.system.start_child, "sup_test", "child") == ("invalid_child_spec", "child")


@pytest.mark.parametrize(
    "flags",
    [
        {"strategy": "one_for_won"},
        {"intensity": -1},
        {"period_s": 0},
        {"auto_shutdown": "sometimes"},
        {"children": (worker("a"), worker("a"))},
        {"strategy": SIMPLE_ONE_FOR_ONE},
        {"children": (worker("a", TRANSIENT, significant=True),)},
    ],
)
def test_sup_flags(flags):
    with pytest.raises(SpecError):
        Supervisor(**flags)


def test_child_unlink(world):
    """A child that has unlinked itself is stopped all the same, within its time."""
    world.sup(worker("child", shutdown_ms=20, args={"trap": True}))
    pid = world.children()["child"]
    world.system.call(pid, ("run", lambda child: child.unlink("sup_test")))
    world.system.terminate_child("sup_test", "child")
    assert not world.system.is_alive(pid)


def test_tree(world):
    """Restarts stay where they belong, and what is beyond a supervisor goes to the one above it."""
    lower = Supervisor(ONE_FOR_ALL, intensity=1, period_s=3600, children=(worker("leaf1"), worker("leaf2")))
    world.sup(worker("top"), Child("lower", lower))
    before = {name: world.system.whereis(name) for name in ("top", "lower", "leaf1", "leaf2")}

    def now(*names):
        return [world.system.whereis(name) is before[name] for name in names]

    world.end(before["leaf1"], "abnormal")
    world.until(lambda: world.system.whereis("leaf2") not in (None, before["leaf2"]))
    assert now("top", "lower", "leaf1", "leaf2") == [True, True, False, False]
    world.end(world.children("lower")["leaf2"], "abnormal")
    world.until(lambda: world.system.whereis("lower") not in (None, before["lower"]))
    assert now("top", "lower") == [True, False]
    assert all(world.children("lower").values())


def test_count_children(world):
    pool(world, restart=TEMPORARY)
    pids = [world.system.start_child("sup_test", {}) for _ in range(100)]
    assert world.system.count_children("sup_test") == {"specs": 1, "active": 100, "supervisors": 0, "workers": 100}
    for pid in pids[:50]:
        world.end(pid, "kill")
    assert world.system.count_children("sup_test") == {"specs": 1, "active": 50, "supervisors": 0, "workers": 50}


def test_count_children_supervisor(world):
    world.sup(worker("a"), Child("b", Supervisor()), Child("c", Supervisor()), worker("d", TRANSIENT))
    world.end(world.children()["d"], "normal")
    assert world.system.count_children("sup_test") == {"specs": 4, "active": 3, "supervisors": 2, "workers": 2}


def test_get_callback_module(world):
    world.start("tests.otp.conformance.test_supervisor_start_stop:SPEC")
    assert world.system.get_callback_module("sup_test") == "tests.otp.conformance.test_supervisor_start_stop:SPEC"


SPEC = Supervisor(children=(worker("a"),))


def test_do_not_save_start_parameters_for_temporary_children(world):
    world.sup()
    world.system.start_child("sup_test", worker("child", TEMPORARY, args={"big": "x" * 1000}))
    machine = world.system.find("sup_test").state
    assert machine.children["child"].args == {}
    world.start(Supervisor(SIMPLE_ONE_FOR_ONE, children=(worker("member", TEMPORARY),)), "pool")
    world.system.start_child("pool", {"big": "x" * 1000})
    assert [child.args for child in world.system.find("pool").state.children.values()] == [{}]


def test_do_not_save_child_specs_for_temporary_children(world):
    world.sup()
    for reason in ("normal", "abnormal", "kill"):
        pid = world.system.start_child("sup_test", worker("child", TEMPORARY))
        world.end(pid, reason)
        assert world.children() == {}
    pid = world.system.start_child("sup_test", worker("child", TEMPORARY))
    world.system.terminate_child("sup_test", "child")
    assert world.children() == {}


def test_simple_one_for_one_scale_many_temporary_children(world):
    """Ten times the children take about ten times the supervisor's work: every exit is found at once."""
    pool(world, restart=TEMPORARY)
    pids = [world.system.start_child("sup_test", {}) for _ in range(200)]
    machine = world.system.find("sup_test").state
    assert len(machine._key_of) == 200
    for pid in pids:
        world.system.terminate_child("sup_test", pid)
    assert world.children() == {} and machine._key_of == {}


def test_scale_start_stop_many_children(world):
    world.sup()
    for number in range(200):
        world.system.start_child("sup_test", worker(f"child{number}"))
    for number in reversed(range(200)):
        world.system.terminate_child("sup_test", f"child{number}")
        world.system.delete_child("sup_test", f"child{number}")
    assert world.children() == {}


def test_already_started_outside_supervisor(world):
    pid = world.system.spawn(WORKER, {}, "child")
    world.sup()
    assert refusal(world.system.start_child, "sup_test", worker("child")) == ("already_started", pid)
    assert world.children() == {} and world.system.is_alive(pid)


def test_which_children(world):
    world.sup(worker("a"), Child("b", Supervisor()))
    pids = world.children()
    assert world.system.which_children("sup_test") == [("a", pids["a"], "worker"), ("b", pids["b"], "supervisor")]
    assert world.system.which_child("sup_test", "b") == ("b", pids["b"], "supervisor")
    assert refusal(world.system.which_child, "sup_test", "c") == "not_found"


def test_which_children_simple_one_for_one(world):
    pool(world)
    pid = world.system.start_child("sup_test", {})
    assert world.system.which_children("sup_test") == [("member", pid, "worker")]
    assert world.system.which_child("sup_test", pid) == ("member", pid, "worker")
    assert refusal(world.system.which_child, "sup_test", "member") == SIMPLE_ONE_FOR_ONE


def test_format_log_1(world):
    """A supervisor's reports have OTP's fields: the supervisor, the context, the reason, the offender."""
    world.sup(worker("child", shutdown_ms=7, args={"secret": 1}))
    pid = world.children()["child"]
    world.end(pid, "abnormal")
    world.children()
    [report] = world.reports("supervisor")
    assert (report["supervisor"], report["error_context"], report["reason"]) == (
        "sup_test",
        "child_terminated",
        "abnormal",
    )
    assert report["offender"] == {
        "pid": str(pid),
        "id": "child",
        "mfargs": (WORKER, ["secret"]),
        "restart_type": "permanent",
        "significant": False,
        "shutdown": 7,
        "child_type": "worker",
    }
    assert [progress["restarted"] for progress in world.reports("progress")] == [False, False, True]
