"""supervisor_SUITE of OTP by its names: restarts, significant children, live change. See docs/otp-conformance.md."""

from dataclasses import dataclass
from typing import Any

import pytest

from flurm.otp import (
    ALL_SIGNIFICANT,
    ANY_SIGNIFICANT,
    NEVER,
    ONE_FOR_ALL,
    ONE_FOR_ONE,
    REST_FOR_ONE,
    SIMPLE_ONE_FOR_ONE,
    TEMPORARY,
    TRANSIENT,
    Child,
    Exit,
    Ignore,
    OtpError,
    Pid,
    Refused,
    SpecError,
    Supervisor,
    debug,
)
from tests.otp.conformance.worlds import WORKER, NeverAnswers, worker


def pool(world, **flags):
    return world.sup(worker("member"), strategy=SIMPLE_ONE_FOR_ONE, **flags)


def refusal(function, *args):
    with pytest.raises(Refused) as error:
        function(*args)
    return error.value.reason


def ends(world, restart, reason):
    """What a supervisor of one child has after that child ended: same, other, gone, or no process."""
    world.sup(worker("child", restart))
    pid = world.children()["child"]
    world.end(pid, reason)
    after = world.children()
    if "child" not in after:
        return "gone"
    return "no process" if after["child"] is None else "other" if after["child"] is not pid else "same"


def test_permanent_normal(world):
    assert ends(world, "permanent", "normal") == "other"


def test_transient_normal(world):
    assert ends(world, TRANSIENT, "normal") == "no process"


def test_temporary_normal(world):
    assert ends(world, TEMPORARY, "normal") == "gone"


def test_permanent_shutdown(world):
    assert ends(world, "permanent", "shutdown") == "other"


def test_transient_shutdown(world):
    assert ends(world, TRANSIENT, ("shutdown", "some_info")) == "no process"


def test_temporary_shutdown(world):
    assert ends(world, TEMPORARY, "shutdown") == "gone"


def test_permanent_abnormal(world):
    assert ends(world, "permanent", "abnormal") == "other"


def test_transient_abnormal(world):
    assert ends(world, TRANSIENT, "abnormal") == "other"


def test_temporary_abnormal(world):
    assert ends(world, TEMPORARY, "abnormal") == "gone"


def test_faulty_application_shutdown(world):
    """A supervisor whose child cannot be restarted is told to stop, and stops."""
    world.sup(worker("child"), Child("lower", Supervisor(intensity=1_000_000, children=(worker("broken"),))))
    world.system.env["init"] = {"broken": "error"}
    world.system.kill("broken")
    world.until(lambda: world.system.which_child("lower", "broken")[1] == "restarting")
    world.system.stop_process("sup_test", "shutdown")
    assert world.system.processes() == []


@pytest.mark.parametrize("strategy", [ONE_FOR_ALL, REST_FOR_ONE])
def test_temporary_bystander(world, strategy):
    """A temporary child stopped because of another is not started again, and is forgotten."""
    world.sup(worker("child1"), worker("child2", TEMPORARY), strategy=strategy)
    before = world.children()
    world.end(before["child1"], "kill")
    after = world.children()
    assert list(after) == ["child1"] and after["child1"] is not before["child1"]
    assert world.ended(before["child2"]) == "shutdown"


def test_multiple_restarts(world):
    """Many restarts in a row of children that end for different reasons."""
    world.sup(worker("child1"), worker("child2"), worker("child3"))
    for _round in range(5):
        for id, reason in (("child1", "abnormal"), ("child2", "kill"), ("child3", "normal")):
            before = world.children()
            world.end(before[id], reason)
            after = world.children()
            assert [other for other in after if after[other] is not before[other]] == [id]


def restarted(world, strategy, victim):
    """The children that are others, after `victim` was killed among three."""
    world.sup(worker("a"), worker("b"), worker("c"), strategy=strategy)
    before = world.children()
    world.end(before[victim], "kill")
    after = world.children()
    assert list(after) == ["a", "b", "c"] and all(world.system.is_alive(pid) for pid in after.values())
    return [id for id in after if after[id] is not before[id]]


def escalates(world, strategy, **more):
    """Whether a supervisor that may restart four times ends at the fifth, with all its children."""
    world.sup(worker("a"), worker("b"), strategy=strategy, intensity=4, **more)
    sup = world.system.whereis("sup_test")
    for _ in range(4):
        world.end(world.children()["a"], "abnormal")
    assert world.children()["a"] is not None
    last = world.children()["b"]
    world.end(world.children()["a"], "abnormal")
    return (world.ended(sup), world.ended(last), world.system.processes())


def test_one_for_one(world):
    assert restarted(world, ONE_FOR_ONE, "b") == ["b"]


def test_one_for_one_escalation(world):
    assert escalates(world, ONE_FOR_ONE) == ("shutdown", "shutdown", [])


def test_one_for_all(world):
    assert restarted(world, ONE_FOR_ALL, "b") == ["a", "b", "c"]


def test_one_for_all_escalation(world):
    assert escalates(world, ONE_FOR_ALL) == ("shutdown", "shutdown", [])


def fails_to_restart_once(world, strategy, children, victim, broken):
    """`victim` dies while `broken` cannot start; later it can. Returns who was started since, in order."""
    world.sup(*(worker(id) for id in children), strategy=strategy, intensity=1_000_000)
    attempts = world.system.env["started"]
    attempts.clear()
    world.system.env["init"] = {broken: "error"}
    world.end(world.children()[victim], "kill")
    world.until(lambda: attempts.count(broken) >= 3)
    assert world.system.which_child("sup_test", broken)[1] == "restarting"
    world.system.env["init"] = {}
    world.until(lambda: all(isinstance(pid, Pid) for pid in world.children().values()))
    assert list(world.children()) == list(children)
    return attempts


def test_one_for_all_other_child_fails_restart(world):
    """All start anew at each attempt, in order, up to the one that fails."""
    attempts = fails_to_restart_once(world, ONE_FOR_ALL, "abc", "a", "b")
    assert attempts[:4] == ["a", "b", "a", "b"]
    assert attempts[-3:] == ["a", "b", "c"]


def test_rest_for_one(world):
    assert restarted(world, REST_FOR_ONE, "b") == ["b", "c"]


def test_rest_for_one_escalation(world):
    assert escalates(world, REST_FOR_ONE) == ("shutdown", "shutdown", [])


def test_rest_for_one_other_child_fails_restart(world):
    """What comes before the one that fails is left alone by the attempts that follow."""
    attempts = fails_to_restart_once(world, REST_FOR_ONE, "abcd", "b", "c")
    assert attempts[:3] == ["b", "c", "c"]
    assert attempts[-2:] == ["c", "d"]
    assert attempts.count("b") == 1 and "a" not in attempts


def test_simple_one_for_one(world):
    pool(world)
    one, two = world.system.start_child("sup_test", {"tag": 1}), world.system.start_child("sup_test", {"tag": 2})
    world.end(one, "kill")
    pids = [pid for _id, pid, _kind in world.system.which_children("sup_test")]
    assert two in pids and one not in pids and len(pids) == 2
    [new] = [pid for pid in pids if pid is not two]
    assert world.system.call(new, "args") == {"tag": 1}


def test_simple_one_for_one_shutdown(world):
    """Children end beside each other: three that take their time take no longer than one."""
    world.sup(worker("member", shutdown_ms=50), strategy=SIMPLE_ONE_FOR_ONE)
    world.system.spawn(NeverAnswers, name="never_answers")
    pids = [world.system.start_child("sup_test", {"slow": True, "tag": tag}) for tag in range(3)]
    begun_s = world.system.monotonic_s()
    world.system.stop_process("sup_test", "shutdown")
    assert 0.049 <= world.system.monotonic_s() - begun_s < 0.14
    assert [world.ended(pid) for pid in pids] == ["killed"] * 3
    assert sorted(world.system.env["terminated"]) == [0, 1, 2]


def test_simple_one_for_one_extra(world):
    """What a child was started with, and the name it was given, survive its restarts."""
    pool(world)
    pid = world.system.start_child("sup_test", {"x": 1}, "named")
    world.end(pid, "abnormal")
    world.children()
    assert world.system.call("named", "args") == {"x": 1}


def test_simple_one_for_one_escalation(world):
    sup = pool(world, intensity=4)
    one, two = world.system.start_child("sup_test", {}, "one"), world.system.start_child("sup_test", {}, "two")
    for _ in range(5):
        pid = world.system.whereis("one")
        world.end(pid, "abnormal")
        world.until(lambda pid=pid: world.system.whereis("one") not in (None, pid) or not world.system.is_alive(sup))
    assert (world.ended(sup), world.ended(two)) == ("shutdown", "shutdown")
    assert one not in (None, two) and world.system.processes() == []


def test_simple_one_for_one_corruption(world):
    """Messages that no supervisor understands do it no harm."""
    pool(world)
    pid = world.system.start_child("sup_test", {})
    for message in (Exit(None, "abnormal"), Exit(world.probe().pid, "abnormal"), "what?"):
        world.system.info("sup_test", message)
    assert world.children() == {"member": pid}


def test_simple_one_for_one_restart_ignore(world):
    """A child that wants to be ignored at its restart is forgotten."""
    pool(world)
    pid = world.system.start_child("sup_test", {"init": "ignore_again", "tag": "a"})
    world.end(pid, "kill")
    assert world.children() == {}
    assert world.system.count_children("sup_test") == {"specs": 1, "active": 0, "supervisors": 0, "workers": 0}


def significant(world, auto_shutdown, restart, *flags_of_children):
    """A supervisor of children that are significant or not, as told; returns their pids."""
    children = [worker(f"child{number}", restart, significant=flag) for number, flag in enumerate(flags_of_children)]
    sup = world.sup(*children, auto_shutdown=auto_shutdown)
    return sup, list(world.children().values())


def nonsignificant(world, restart):
    for auto_shutdown in (NEVER, ANY_SIGNIFICANT, ALL_SIGNIFICANT):
        sup, pids = significant(world, auto_shutdown, restart, False, False)
        for pid in pids:
            world.end(pid, "normal")
        assert all(pid is None for pid in world.children().values())
        assert world.system.is_alive(sup)
        world.system.stop_process(sup, "shutdown")


def test_nonsignificant_temporary(world):
    nonsignificant(world, TEMPORARY)


def test_nonsignificant_transient(world):
    nonsignificant(world, TRANSIENT)


@pytest.mark.parametrize("reason", ["normal", "shutdown", "abnormal", "kill"])
def test_significant_temporary(world, reason):
    sup, pids = significant(world, ANY_SIGNIFICANT, TEMPORARY, True, True, False)
    world.system.terminate_child("sup_test", "child0")  # told so, which does not count
    assert world.children()["child1"] is pids[1]
    world.end(pids[1], reason)
    assert (world.ended(sup), world.ended(pids[2])) == ("shutdown", "shutdown")
    sup, pids = significant(world, ALL_SIGNIFICANT, TEMPORARY, True, True, False)
    world.end(pids[0], reason)
    assert world.children() == {"child1": pids[1], "child2": pids[2]}
    world.end(pids[1], reason)
    assert (world.ended(sup), world.ended(pids[2])) == ("shutdown", "shutdown")


def test_significant_transient(world):
    sup, pids = significant(world, ANY_SIGNIFICANT, TRANSIENT, True, True, False)
    world.system.terminate_child("sup_test", "child0")
    world.system.restart_child("sup_test", "child0")
    for reason in ("kill", "abnormal"):  # restarted, so it has not ended
        world.end(world.children()["child0"], reason)
        assert world.children()["child1"] is pids[1]
    world.end(world.children()["child0"], "normal")
    assert (world.ended(sup), world.ended(pids[1]), world.ended(pids[2])) == ("shutdown",) * 3
    sup, pids = significant(world, ALL_SIGNIFICANT, TRANSIENT, True, True, False)
    world.end(pids[0], "normal")
    assert list(world.children().values()) == [None, *pids[1:]]
    world.end(pids[1], "normal")
    assert (world.ended(sup), world.ended(pids[2])) == ("shutdown", "shutdown")


def test_significant_simple():
    for auto_shutdown in (ANY_SIGNIFICANT, ALL_SIGNIFICANT):
        with pytest.raises(SpecError, match="bad combination"):
            Supervisor(SIMPLE_ONE_FOR_ONE, auto_shutdown=auto_shutdown, children=(worker("child1"),))


@pytest.mark.parametrize("auto_shutdown", [ANY_SIGNIFICANT, ALL_SIGNIFICANT])
@pytest.mark.parametrize(
    ("strategy", "others"),
    [(ONE_FOR_ONE, ["child1"]), (ONE_FOR_ALL, ["child0", "child1", "child2"]), (REST_FOR_ONE, ["child1", "child2"])],
)
def test_significant_bystander(world, strategy, others, auto_shutdown):
    """A significant child that is stopped because of another has not ended by itself."""
    children = [worker(f"child{number}", TRANSIENT, significant=number != 1) for number in range(3)]
    sup = world.sup(*children, strategy=strategy, auto_shutdown=auto_shutdown)
    before = world.children()
    world.end(before["child1"], "kill")
    after = world.children()
    assert [id for id in after if after[id] is not before[id]] == others
    assert world.system.is_alive(sup)


def test_significant_escalation(world):
    lower = Supervisor(auto_shutdown=ANY_SIGNIFICANT, children=(worker("leaf", TRANSIENT, significant=True),))
    for counts in (True, False):
        child = Child("lower", lower, restart=TRANSIENT, significant=counts)
        sup = world.sup(child, auto_shutdown=ANY_SIGNIFICANT)
        world.end(world.system.whereis("leaf"), "normal")
        if counts:
            assert world.ended(sup) == "shutdown"
        else:
            world.until(lambda: world.children() == {"lower": None})
            world.system.stop_process(sup, "shutdown")


@dataclass
class Version:
    """The code of a supervisor, which can be replaced."""

    spec: Any

    def __call__(self):
        return self.spec

    def upgrade(self, world, spec):
        self.spec = spec
        debug.suspend(world.system, "sup_test")
        try:
            debug.change_code(world.system, "sup_test")
        finally:
            debug.resume(world.system, "sup_test")


def upgraded(world, before, after):
    """A supervisor whose auto_shutdown was changed; returns how many of two significant children it has started."""
    version = Version(Supervisor(auto_shutdown=before))
    world.start(version)
    children = [worker(f"child{number}", TRANSIENT, significant=True) for number in (1, 2)]
    if before == NEVER:
        assert refusal(world.system.start_child, "sup_test", children[0])[0] == "bad_combination"
    else:
        world.system.start_child("sup_test", children[0])
    version.upgrade(world, Supervisor(auto_shutdown=after))
    if after == NEVER:
        assert refusal(world.system.start_child, "sup_test", children[1])[0] == "bad_combination"
        return
    for child in children[0 if before == NEVER else 1 :]:
        world.system.start_child("sup_test", child)


def goes_down_with(world, id):
    sup = world.system.whereis("sup_test")
    world.end(world.system.whereis(id), "normal")
    return world.ended(sup) == "shutdown"


def survives(world, id):
    world.end(world.system.whereis(id), "normal")
    return world.children()[id] is None


def test_significant_upgrade_never_any(world):
    upgraded(world, NEVER, ANY_SIGNIFICANT)
    assert goes_down_with(world, "child1")


def test_significant_upgrade_any_never(world):
    upgraded(world, ANY_SIGNIFICANT, NEVER)
    assert survives(world, "child1")
    assert world.system.restart_child("sup_test", "child1") is not None


def test_significant_upgrade_never_all(world):
    upgraded(world, NEVER, ALL_SIGNIFICANT)
    assert survives(world, "child1")
    assert goes_down_with(world, "child2")


def test_significant_upgrade_all_never(world):
    upgraded(world, ALL_SIGNIFICANT, NEVER)
    assert survives(world, "child1")
    assert world.system.restart_child("sup_test", "child1") is not None


def test_significant_upgrade_any_all(world):
    upgraded(world, ANY_SIGNIFICANT, ALL_SIGNIFICANT)
    assert survives(world, "child1")
    assert goes_down_with(world, "child2")


def test_significant_upgrade_all_any(world):
    upgraded(world, ALL_SIGNIFICANT, ANY_SIGNIFICANT)
    assert goes_down_with(world, "child1")


def test_significant_upgrade_child(world):
    def spec(counts):
        return Supervisor(auto_shutdown=ANY_SIGNIFICANT, children=(worker("child", TRANSIENT, significant=counts),))

    version = Version(spec(True))
    world.start(version)
    pid = world.children()["child"]
    version.upgrade(world, spec(False))
    assert world.children() == {"child": pid}
    assert survives(world, "child")
    world.system.restart_child("sup_test", "child")
    version.upgrade(world, spec(True))
    assert goes_down_with(world, "child")


def test_count_restarting_children(world):
    world.sup(worker("a"), worker("b"), intensity=1_000_000)
    world.system.env["init"] = {"a": "error"}
    world.end(world.children()["a"], "kill")
    world.until(lambda: world.children()["a"] == "restarting")
    assert world.system.count_children("sup_test") == {"specs": 2, "active": 1, "supervisors": 0, "workers": 2}


def hangs_but_answers(world, strategy):
    """While a child cannot be restarted, again and again, everything else can be asked of its supervisor."""
    system = world.system
    world.sup(worker("child1"), worker("child2"), strategy=strategy, intensity=1_000_000_000)
    system.env["init"] = {"child1": "error"}
    world.end(world.children()["child1"], "kill")
    world.until(lambda: world.children()["child1"] == "restarting")
    assert refusal(system.restart_child, "sup_test", "child1") == "restarting"
    assert refusal(system.delete_child, "sup_test", "child1") == "restarting"
    assert system.get_childspec("sup_test", "child1").id == "child1"
    assert system.start_child("sup_test", worker("child3")) is not None
    if strategy is ONE_FOR_ONE:  # rest_for_one ends it with the next try that fails
        assert system.is_alive(world.children()["child3"])
    system.terminate_child("sup_test", "child1")
    assert world.children()["child1"] is None
    system.env["init"] = {}
    assert system.restart_child("sup_test", "child1") is not None
    system.stop_process("sup_test", "shutdown")


def test_hanging_restart_loop(world):
    hangs_but_answers(world, ONE_FOR_ONE)


def test_hanging_restart_loop_rest_for_one(world):
    hangs_but_answers(world, REST_FOR_ONE)


def test_hanging_restart_loop_simple(world):
    pool(world, intensity=1_000_000_000)
    pid = world.system.start_child("sup_test", {}, "a")
    world.system.env["init"] = {"a": "error"}
    world.end(pid, "kill")
    world.until(lambda: world.children() == {"a": "restarting"})
    other = world.system.start_child("sup_test", {}, "b")
    assert world.system.is_alive(other)
    world.system.stop_process("sup_test", "shutdown")


def test_code_change(world):
    """Pids stay; what the new specification does not name is kept behind; what is new there waits for its start."""
    version = Version(Supervisor(intensity=1, children=(worker("a"), worker("b"))))
    world.start(version)
    before = world.children()
    new = (worker("c"), worker("b", TRANSIENT, args={"new": True}))
    version.upgrade(world, Supervisor(ONE_FOR_ALL, intensity=7, children=new))
    assert world.children() == {"c": None, "b": before["b"], "a": before["a"]}
    assert world.system.get_childspec("sup_test", "b").restart == TRANSIENT
    assert world.system.find("sup_test").state.flags.intensity == 7
    world.system.restart_child("sup_test", "c")
    world.end(before["b"], "abnormal")
    after = world.children()
    assert after["a"] not in (None, before["a"])
    assert world.system.call("b", "args") == {"new": True}


def test_code_change_map(world):
    """A specification that is wrong changes nothing, nor does one that says ignore."""
    version = Version(Supervisor(children=(worker("a"),)))
    world.start(version)
    before = world.children()
    with pytest.raises(OtpError, match="expected a Supervisor"):
        version.upgrade(world, "nonsense")
    with pytest.raises(debug.NotSuspended):
        debug.change_code(world.system, "sup_test")
    version.upgrade(world, Ignore())
    assert world.children() == before


def test_code_change_simple(world):
    version = Version(Supervisor(SIMPLE_ONE_FOR_ONE, children=(worker("member", args={"v": 1}),)))
    world.start(version)
    pid = world.system.start_child("sup_test", {"own": 1}, "a")
    version.upgrade(world, Supervisor(SIMPLE_ONE_FOR_ONE, children=(worker("member", args={"v": 2}),)))
    assert world.system.call(pid, "args") == {"v": 1, "own": 1}
    world.end(pid, "abnormal")
    world.children()
    assert world.system.call("a", "args") == {"v": 2, "own": 1}
    assert world.system.call(world.system.start_child("sup_test", {}), "args") == {"v": 2}


def test_code_change_simple_map(world):
    """A simple_one_for_one cannot become anything else, nor the other way round."""
    version = Version(Supervisor(SIMPLE_ONE_FOR_ONE, children=(worker("member"),)))
    world.start(version)
    with pytest.raises(Refused, match="bad_strategy"):
        version.upgrade(world, Supervisor(children=(worker("member"),)))
    assert world.system.start_child("sup_test", {}) is not None


def test_order_of_children(world):
    """In order of start, whatever was restarted; stopped the other way round."""
    world.sup(*(worker(id) for id in "abcde"))
    world.end(world.children()["b"], "kill")
    world.system.terminate_child("sup_test", "c")
    world.system.restart_child("sup_test", "c")
    world.system.start_child("sup_test", worker("f"))
    assert list(world.children()) == list("abcdef")
    world.system.env["terminated"].clear()
    world.system.stop_process("sup_test", "shutdown")
    assert world.system.env["terminated"] == list("fedcba")


def test_a_supervisor_named_by_string_is_read_anew_at_a_restart(world, monkeypatch):
    monkeypatch.setitem(globals(), "SPEC", Supervisor(children=(Child("a", WORKER),)))
    world.sup(Child("lower", f"{__name__}:SPEC"))
    monkeypatch.setitem(globals(), "SPEC", Supervisor(children=(Child("b", WORKER),)))
    world.system.kill("lower")
    world.until(lambda: world.system.whereis("b") and not world.system.whereis("a"))
