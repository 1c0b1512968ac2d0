"""Supervised processes on threads: restarts, shutdown, kills, load."""

import threading

import pytest

from flurm.otp import (
    BRUTAL,
    ONE_FOR_ALL,
    REST_FOR_ONE,
    SIMPLE_ONE_FOR_ONE,
    TEMPORARY,
    CallError,
    Child,
    NoProcess,
    NotRunning,
    ProcessDown,
    Refused,
    StartError,
    Supervisor,
    System,
)
from tests.otp.actors import Counter, Stubborn, Watch, event, eventually, observed, running

COUNTER = "tests.otp.actors:Counter"
SPEC = Supervisor(ONE_FOR_ALL, children=(Child("x", COUNTER), Child("y", COUNTER)))


def test_the_whole_tree_runs_when_start_returns():
    with running(Child("a", COUNTER), Child("sub", "tests.otp.test_tree:SPEC")) as system:
        assert [system.call(name, name) for name in "axy"] == ["a", "x", "y"]


def test_init_failure_deep_in_the_tree_is_reported_to_the_starter_and_nothing_is_left():
    ended, system = Watch(), System()
    system.env["terminated"] = ended
    bad = Supervisor(children=(Child("b", Counter), Child("c", Counter, {"init": "stop"})))
    with pytest.raises(StartError) as error:
        system.start(Supervisor(children=(Child("a", Counter), Child("sub", bad))), name="root")
    inner = ("shutdown", ("failed_to_start_child", "c", "not today"))
    assert error.value.reason == ("shutdown", ("failed_to_start_child", "sub", inner))
    assert ended.seen == [("b", "shutdown"), ("a", "shutdown")]
    assert system.processes() == []
    system.stop()


def test_a_child_whose_code_is_not_there_is_a_start_error():
    system = System()
    with pytest.raises(StartError, match="no_such_module"):
        system.start(Supervisor(children=(Child("a", "no_such_module:Actor"),)))
    system.stop()


def test_stop_goes_backwards_and_runs_terminate():
    ended = Watch()
    with running(Child("a", Counter), Child("sub", SPEC), Child("b", Counter)) as system:
        system.env["terminated"] = ended
    assert [name for name, _ in ended.seen] == ["b", "y", "x", "a"]
    assert {reason for _, reason in ended.seen} == {"shutdown"}
    assert system.processes() == []
    with pytest.raises(NotRunning):
        system.spawn(Counter)


def test_a_crashed_child_is_restarted_under_its_name_with_a_new_pid():
    with running(Child("a", Counter), Child("b", Counter)) as system:
        watch, old, other = observed(system), system.whereis("a"), system.whereis("b")
        with pytest.raises(ProcessDown):
            system.call("a", "boom")
        assert watch.wait_for(event("restarted", "a")).supervisor == "root"
        assert system.whereis("a") not in (None, old)
        assert system.whereis("b") is other
        with pytest.raises(NoProcess):
            system.call(old, 1)


def test_rest_for_one_restarts_those_after_it():
    with running(*(Child(name, Counter) for name in "abc"), strategy=REST_FOR_ONE) as system:
        watch, before = observed(system), {name: system.whereis(name) for name in "abc"}
        system.kill("b")
        watch.wait_for(event("restarted", "b"))
        assert [system.whereis(name) is before[name] for name in "abc"] == [True, False, False]


def test_intensity_exceeded_escalates_to_the_supervisor_above():
    sub = Supervisor(intensity=2, period_s=60, children=(Child("x", Counter), Child("y", Counter)))
    with running(Child("a", Counter), Child("sub", sub)) as system:
        watch, above, y = observed(system), system.whereis("a"), system.whereis("y")
        for times in (1, 2):
            system.kill("x")
            watch.wait_for(event("restarted", "x"), times)
        assert system.whereis("y") is y
        system.kill("x")
        watch.wait_for(event("restarted", "sub"))
        assert system.whereis("y") not in (None, y)
        assert system.whereis("a") is above


def test_intensity_exceeded_at_the_root_ends_the_tree():
    with running(Child("a", Counter), intensity=0) as system:
        root = system.find("root")
        system.kill("a")
        assert root.actor_stopped.wait(10) and root.reason == "shutdown"


def test_a_killed_supervisor_takes_its_children_along_and_comes_back_with_them():
    with running(Child("a", Counter), Child("sub", SPEC)) as system:
        watch = observed(system)
        before = {name: system.whereis(name) for name in ("sub", "x", "y")}
        system.kill("sub")
        watch.wait_for(event("restarted", "sub"))
        assert all(system.whereis(name) not in (None, pid) for name, pid in before.items())
        assert [node["restarts"] for node in system.tree()[0]["children"]] == [0, 1]


def test_orphans_that_take_their_time_do_not_cost_the_new_tree_a_restart():
    gate = threading.Event()
    sub = Supervisor(children=(Child("slow", Stubborn, {"gate": gate}),))
    with running(Child("sub", sub), intensity=1) as system:
        watch, old = observed(system), system.find("slow")
        system.kill("sub")
        assert not old.actor_stopped.is_set()
        gate.set()
        watch.wait_for(event("restarted", "sub"))
        assert old.actor_stopped.is_set()
        assert system.tree()[0]["children"][0]["restarts"] == 1


def test_shutdown_deadline_kills_who_does_not_end():
    gate = threading.Event()
    with running(Child("slow", Stubborn, {"gate": gate}, shutdown_ms=10)) as system:
        process = system.find("slow")
        system.terminate_child("root", "slow")
        assert process.reason == "killed"
        gate.set()


def test_shutdown_brutal_does_not_run_terminate():
    ended = Watch()
    with running(Child("a", Counter, shutdown_ms=BRUTAL), Child("b", Counter)) as system:
        system.env["terminated"] = ended
    assert ended.seen == [("b", "shutdown")]


def test_failed_restarts_are_retried_through_the_mailbox():
    failures = [1, 1, 1]

    class Flaky(Counter):
        def init(self, args):
            if self.system.env.get("armed") and failures:
                failures.pop()
                raise OSError("not yet")
            return super().init(args)

    with running(Child("a", Flaky), Child("b", Counter)) as system:
        watch = observed(system)
        system.env["armed"] = True
        system.kill("a")
        watch.wait_for(event("restarted", "a"))
        assert failures == []
        assert system.call("a", 1) == 1


def test_child_administration_from_outside():
    with running(Child("a", Counter)) as system:
        pid = system.start_child("root", Child("b", Counter))
        assert system.whereis("b") is pid
        with pytest.raises(Refused) as error:
            system.start_child("root", Child("b", Counter))
        assert error.value.reason == ("already_started", pid)
        system.terminate_child("root", "b")
        assert system.which_children("root")[1] == ("b", None, "worker")
        assert system.restart_child("root", "b") is system.whereis("b")
        system.terminate_child("root", "b")
        system.delete_child("root", "b")
        assert system.count_children("root") == {"specs": 1, "active": 1, "supervisors": 0, "workers": 1}


def test_child_administration_from_inside_an_actor():
    with running(Child("a", Counter)) as system:
        pid = system.call("a", ("run", lambda actor: actor.system.start_child("root", Child("b", Counter))))
        assert system.whereis("b") is pid


def test_an_actor_may_have_itself_terminated():
    with running(Child("a", Counter)) as system:
        process = system.find("a")
        with pytest.raises(ProcessDown):
            system.call("a", ("run", lambda actor: actor.system.terminate_child("root", "a")))
        assert process.actor_stopped.wait(10)
        assert system.which_children("root") == [("a", None, "worker")]


def test_calling_the_own_supervisor_from_init_is_refused_not_a_deadlock():
    class Eager(Counter):
        def init(self, args):
            self.system.which_children("root")
            return super().init(args)

    with running(Child("a", Counter)) as system, pytest.raises(Refused, match="from init"):
        system.start_child("root", Child("b", Eager))


def test_an_actor_may_stop_the_system():
    with running(Child("a", Counter)) as system:
        root = system.find("root")
        system.cast("a", ("run", lambda actor: actor.system.stop()))
        assert root.actor_stopped.wait(10) and root.reason == "shutdown"


def pool(**more):
    template = Child("member", COUNTER, **more)
    return Child("pool", Supervisor(SIMPLE_ONE_FOR_ONE, children=(template,)))


def test_simple_one_for_one_children_may_have_names():
    with running(pool()) as system:
        pid = system.start_child("pool", {}, name="m1")
        assert system.whereis("m1") is pid
        watch = observed(system)
        system.kill("m1")
        watch.wait_for(event("restarted", "m1"))
        assert system.call("m1", 1) == 1


def test_a_thousand_temporary_children_start_and_stop():
    with running(pool(restart=TEMPORARY)) as system:
        pids = [system.start_child("pool", {}) for _ in range(1000)]
        assert system.count_children("pool")["active"] == 1000
        assert sum(system.call(pid, 1) for pid in pids) == 1000
        watch = observed(system)
        for pid in pids[:500]:
            system.call(pid, "stop")
        watch.wait_for(lambda event: event.kind == "exited", times=500)
        assert system.count_children("pool")["active"] == 500
        pool_process = system.find("pool")
    assert pool_process.reason == "shutdown"
    assert system.processes() == []


def test_calls_under_kills_and_crashes_all_end():
    """Eight callers, 100 deaths: each call is answered or fails, none hangs, none gets another's answer."""
    with running(Child("a", Counter), intensity=1000) as system:
        done, counts, wrong = threading.Event(), [[0, 0] for _ in range(8)], []

        def load(number):
            while not done.is_set():
                try:
                    answer = system.call("a", (number, counts[number][0]), timeout_s=10)
                    if answer != (number, counts[number][0]):
                        wrong.append(answer)
                    counts[number][0] += 1
                except ProcessDown:
                    counts[number][1] += 1

        callers = [threading.Thread(target=load, args=(number,)) for number in range(8)]
        for caller in callers:
            caller.start()
        watch = observed(system)
        for times in range(1, 101):
            if times % 2:
                system.kill("a")
            else:
                system.crash("a")
            watch.wait_for(event("restarted", "a"), times)
        done.set()
        for caller in callers:
            caller.join(20)
        assert not any(caller.is_alive() for caller in callers)
        assert wrong == []
        assert all(answered for answered, _failed in counts)


def settled(system, names):
    """Whether all of `names` run, none of them under a supervisor that is gone."""
    found = [system.find(name) for name in names]
    return all(process and process.status == "running" and not process.parent.exited for process in found)


@pytest.mark.parametrize("end", [System.kill, System.crash])
def test_every_process_in_turn_is_killed_under_load_and_the_tree_comes_back(end):
    below = Supervisor(REST_FOR_ONE, intensity=100, children=(Child("p", Counter), Child("q", Counter)))
    above = Supervisor(ONE_FOR_ALL, intensity=100, children=(Child("x", Counter), Child("below", below)))
    with running(Child("a", Counter), Child("above", above), intensity=100) as system:
        names, done, answered = ["a", "above", "x", "below", "p", "q"], threading.Event(), []

        def load():
            while not done.is_set():
                for name in "axpq":
                    try:
                        answered.append(system.call(name, name, timeout_s=10) == name)
                    except ProcessDown:
                        pass

        caller = threading.Thread(target=load)
        caller.start()
        for _round in range(5):
            for name in names:
                old = system.whereis(name)
                end(system, name)
                eventually(
                    lambda name=name, old=old: system.whereis(name) not in (None, old) and settled(system, names)
                )
        done.set()
        caller.join(20)
        assert not caller.is_alive() and answered and all(answered)
        assert {process.name for process in system.processes()} == {"root", *names}
        assert [system.call(name, 1) for name in "axpq"] == [1, 1, 1, 1]
        assert [node["restarts"] for node in system.tree()[0]["children"]] == [5, 5]


def test_a_call_to_a_process_that_is_killed_meanwhile_never_hangs():
    system = System()
    for _ in range(100):
        pid = system.spawn(Counter)
        outcomes: list[str] = []

        def call(pid=pid, outcomes=outcomes):
            try:
                outcomes.append(system.call(pid, "never", timeout_s=20))
            except CallError as error:
                outcomes.append(type(error).__name__)

        caller = threading.Thread(target=call)
        caller.start()
        system.kill(pid)
        caller.join(10)
        assert outcomes and outcomes[0] in ("ProcessDown", "NoProcess")
    system.stop()


def test_tree_shows_what_runs():
    with running(Child("a", Counter), Child("sub", SPEC), pool()) as system:
        system.start_child("pool", {})
        system.terminate_child("root", "a")
        [root] = system.tree()
        assert (root["id"], root["kind"], root["strategy"], root["status"]) == (
            "root",
            "supervisor",
            "one_for_one",
            "running",
        )
        a, sub, members = root["children"]
        assert (a["status"], a["pid"]) == ("stopped", None)
        assert [child["name"] for child in sub["children"]] == ["x", "y"]
        assert [child["name"] for child in members["children"]] == [None]
        assert sub["children"][0]["uptime_s"] > 0


def test_two_systems_know_nothing_of_each_other():
    with running(Child("a", Counter)) as one, running(Child("a", Counter)) as other:
        one.cast("a", 1)
        assert other.call("a", "seen") == []
        one.stop()
        assert other.call("a", 1) == 1


def test_an_observer_that_fails_does_no_harm():
    with running(Child("a", Counter)) as system:

        def broken(_event):
            raise ValueError("observer")

        system.observers.append(broken)
        watch = observed(system)
        system.kill("a")
        watch.wait_for(event("restarted", "a"))
