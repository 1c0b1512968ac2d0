"""The supervision machine, by the case names of OTP's supervisor_SUITE where there is one."""

import pytest

from flurm.otp import (
    ALL_SIGNIFICANT,
    ANY_SIGNIFICANT,
    BRUTAL,
    ONE_FOR_ALL,
    ONE_FOR_ONE,
    REST_FOR_ONE,
    SIMPLE_ONE_FOR_ONE,
    TEMPORARY,
    TRANSIENT,
    Child,
    SpecError,
    Supervisor,
)
from flurm.otp.supervision import Refusal
from tests.otp.table import Bench


def child(id, restart, **more):
    return Child(id, "m:Worker", restart=restart, **more)


def test_sup_start_starts_children_in_order():
    sup = Bench("a", "b", "c")
    assert sup.init() is None
    assert sup.did == ["start a", "start b", "start c"]


def test_sup_start_fail_stops_what_was_started_in_reverse_order():
    sup = Bench("a", "b", "c", "d")
    sup.broken.add("c")
    assert sup.init() == ("failed_to_start_child", "c", "broken")
    assert sup.did == ["start a", "start b", "start c", "stop b1", "stop a1"]


def test_sup_start_ignore_child_keeps_its_spec():
    sup = Bench("a", "b")
    sup.ignored.add("a")
    assert sup.init() is None
    assert sup.children() == {"a": None, "b": "b1"}


def test_sup_start_ignore_temporary_child_forgets_it():
    sup = Bench(child("a", TEMPORARY), "b")
    sup.ignored.add("a")
    assert sup.init() is None
    assert sup.children() == {"b": "b1"}


def test_sup_stop_stops_children_in_reverse_order():
    sup = Bench("a", "b", "c").started()
    sup.do("shutdown")
    assert sup.did == ["stop c1", "stop b1", "stop a1"]


@pytest.mark.parametrize("reason", ["normal", "shutdown", ("shutdown", "why"), "abnormal"])
def test_permanent_child_is_restarted_whatever_its_reason(reason):
    sup = Bench("a").started()
    assert sup.exits("a1", reason)
    assert sup.children() == {"a": "a2"}


@pytest.mark.parametrize("reason", ["normal", "shutdown", ("shutdown", "why")])
def test_transient_child_that_ends_well_stays_down_and_keeps_its_spec(reason):
    sup = Bench(child("a", TRANSIENT)).started()
    assert sup.exits("a1", reason)
    assert sup.children() == {"a": None}
    assert sup.reports[-1][0] == "progress"


def test_transient_child_that_fails_is_restarted():
    sup = Bench(child("a", TRANSIENT)).started()
    assert sup.exits("a1")
    assert sup.children() == {"a": "a2"}


@pytest.mark.parametrize(("reason", "reported"), [("normal", False), ("shutdown", False), ("abnormal", True)])
def test_temporary_child_is_never_restarted_and_forgotten(reason, reported):
    sup = Bench(child("a", TEMPORARY)).started()
    assert sup.exits("a1", reason)
    assert sup.children() == {}
    assert (("child_terminated", "a", reason) in sup.reports) is reported


def test_one_for_one_restarts_only_the_child_that_failed():
    sup = Bench("a", "b", "c", strategy=ONE_FOR_ONE).started()
    assert sup.exits("b1")
    assert sup.did == ["start b"]
    assert sup.children() == {"a": "a1", "b": "b2", "c": "c1"}


def test_one_for_one_escalation():
    sup = Bench("a", "b", strategy=ONE_FOR_ONE, intensity=4, period_s=3600).started()
    for incarnation in range(1, 5):
        assert sup.exits(f"a{incarnation}")
    assert not sup.exits("a5")
    assert sup.reports[-1] == ("shutdown", "a", "reached_max_restart_intensity")
    assert sup.children() == {"a": None, "b": "b1"}


def test_one_for_one_other_child_fails_restart_retries_only_that_one():
    sup = Bench("a", "b", strategy=ONE_FOR_ONE).started()
    sup.broken.add("a")
    assert sup.exits("a1")
    assert sup.children() == {"a": "restarting", "b": "b1"}
    sup.broken.clear()
    assert sup.retry()
    assert sup.children() == {"a": "a2", "b": "b1"}


def test_one_for_all_stops_in_reverse_and_starts_in_order():
    sup = Bench("a", "b", "c", strategy=ONE_FOR_ALL).started()
    assert sup.exits("b1")
    assert sup.did == ["stop c1", "stop a1", "start a", "start b", "start c"]


def test_one_for_all_escalation():
    sup = Bench("a", "b", strategy=ONE_FOR_ALL, intensity=1, period_s=10).started()
    assert sup.exits("a1")
    assert not sup.exits("b2")


def test_one_for_all_other_child_fails_restart():
    sup = Bench("a", "b", "c", strategy=ONE_FOR_ALL).started()
    sup.broken.add("b")
    assert sup.exits("a1")
    assert sup.children() == {"a": "a2", "b": "restarting", "c": None}
    sup.broken.clear()
    sup.did.clear()
    assert sup.retry()
    assert sup.did == ["stop a2", "start a", "start b", "start c"]
    assert sup.children() == {"a": "a3", "b": "b2", "c": "c2"}


def test_one_for_all_forgets_temporary_children():
    sup = Bench("a", child("t", TEMPORARY), strategy=ONE_FOR_ALL).started()
    assert sup.exits("a1")
    assert sup.did == ["stop t1", "start a"]
    assert sup.children() == {"a": "a2"}


def test_rest_for_one_restarts_what_was_started_after_it():
    sup = Bench("a", "b", "c", "d", strategy=REST_FOR_ONE).started()
    assert sup.exits("b1")
    assert sup.did == ["stop d1", "stop c1", "start b", "start c", "start d"]
    assert [id for kind, id, _ in sup.reports if kind == "restarted"] == ["b", "c", "d"]
    assert sup.children() == {"a": "a1", "b": "b2", "c": "c2", "d": "d2"}


def test_rest_for_one_escalation():
    sup = Bench("a", "b", strategy=REST_FOR_ONE, intensity=1, period_s=10).started()
    assert sup.exits("b1")
    assert not sup.exits("a1")


def test_rest_for_one_other_child_fails_restart():
    sup = Bench("a", "b", "c", strategy=REST_FOR_ONE).started()
    sup.broken.add("c")
    assert sup.exits("b1")
    assert sup.children() == {"a": "a1", "b": "b2", "c": "restarting"}
    sup.broken.clear()
    sup.did.clear()
    assert sup.retry()
    assert sup.did == ["start c"]


def test_failed_restarts_count_until_the_supervisor_gives_up():
    sup = Bench("a", intensity=3, period_s=10).started()
    sup.broken.add("a")
    verdicts = [sup.exits("a1")] + [sup.retry() for _ in range(3)]
    assert verdicts == [True, True, True, False]


def test_restarts_older_than_the_period_are_forgiven():
    sup = Bench("a", intensity=1, period_s=10).started()
    for incarnation in range(1, 20):
        assert sup.exits(f"a{incarnation}")
        sup.now_s += 10.1


def test_intensity_zero_never_restarts():
    assert not Bench("a", intensity=0).started().exits("a1")


def test_a_retry_for_a_child_that_was_terminated_meanwhile_does_nothing():
    sup = Bench("a", "b").started()
    sup.broken.add("a")
    sup.exits("a1")
    assert sup.do("terminate_child", "a") is None
    sup.did.clear()
    assert sup.retry()
    assert sup.did == []


def test_an_exit_of_an_unknown_pid_is_ignored():
    sup = Bench("a").started()
    assert sup.exits("z9")
    assert sup.did == []


def test_child_adm_start_child_refuses_what_is_there():
    sup = Bench("a").started()
    assert sup.do("start_child", Child("b", "m:Worker")) == "b1"
    assert sup.do("start_child", Child("b", "m:Worker")) == Refusal(("already_started", "b1"))
    sup.do("terminate_child", "b")
    assert sup.do("start_child", Child("b", "m:Worker")) == Refusal("already_present")


def test_child_adm_a_child_that_fails_to_start_leaves_nothing():
    sup = Bench("a").started()
    sup.broken.add("b")
    assert sup.do("start_child", Child("b", "m:Worker")) == Refusal("broken")
    assert sup.children() == {"a": "a1"}


def test_child_adm_terminate_restart_delete():
    sup = Bench("a").started()
    assert sup.do("delete_child", "a") == Refusal("running")
    assert sup.do("restart_child", "a") == Refusal("running")
    assert sup.do("terminate_child", "a") is None
    assert sup.do("restart_child", "a") == "a2"
    sup.do("terminate_child", "a")
    assert sup.do("delete_child", "a") is None
    for method in ("terminate_child", "restart_child", "delete_child"):
        assert sup.do(method, "a") == Refusal("not_found")


def test_child_adm_of_a_restarting_child():
    sup = Bench("a").started()
    sup.broken.add("a")
    sup.exits("a1")
    assert sup.do("restart_child", "a") == Refusal("restarting")
    assert sup.do("delete_child", "a") == Refusal("restarting")


def test_child_adm_simple_passes_extra_arguments_and_keeps_them_over_restarts():
    sup = Bench(Child("t", "m:Worker", args={"x": 1}), strategy=SIMPLE_ONE_FOR_ONE).started()
    assert sup.do("start_child", {"y": 2}) == "t1"
    assert sup.exits("t1")
    assert sup.args == [{"x": 1, "y": 2}, {"x": 1, "y": 2}]


def test_child_adm_simple_refuses_ids():
    sup = Bench("t", strategy=SIMPLE_ONE_FOR_ONE).started()
    pid = sup.do("start_child", {})
    for method in ("terminate_child", "restart_child", "delete_child"):
        assert sup.do(method, "t") == Refusal(SIMPLE_ONE_FOR_ONE)
    assert sup.do("terminate_child", pid) is None
    assert sup.children() == {}


def test_simple_one_for_one_escalation():
    sup = Bench("t", strategy=SIMPLE_ONE_FOR_ONE, intensity=1, period_s=10).started()
    sup.do("start_child", {})
    sup.do("start_child", {})
    assert sup.exits("t1")
    assert not sup.exits("t2")


def test_simple_one_for_one_failed_restart_is_retried():
    sup = Bench("t", strategy=SIMPLE_ONE_FOR_ONE).started()
    sup.do("start_child", {})
    sup.broken.add("t")
    assert sup.exits("t1")
    assert sup.children() == {"t": "restarting"}
    sup.broken.clear()
    assert sup.retry()
    assert sup.children() == {"t": "t2"}


def test_simple_one_for_one_shutdown_stops_all_at_once():
    sup = Bench("t", strategy=SIMPLE_ONE_FOR_ONE).started()
    for _ in range(3):
        sup.do("start_child", {})
    sup.did.clear()
    sup.do("shutdown")
    assert sup.did == ["stop t1 t2 t3"]
    assert sup.machine.count_children()["active"] == 0


def test_count_children_and_which_children():
    sup = Bench("a", Child("s", "m:SPEC"), child("t", TRANSIENT)).started()
    sup.exits("t1", "normal")
    assert sup.machine.count_children() == {"specs": 3, "active": 2, "supervisors": 1, "workers": 2}
    assert sup.machine.which_children() == [("a", "a1", "worker"), ("s", "s1", "supervisor"), ("t", None, "worker")]


def test_get_childspec_by_id_and_by_pid():
    sup = Bench("a").started()
    assert sup.machine.get_childspec("a") is sup.machine.get_childspec("a1")
    assert sup.machine.get_childspec("b") == Refusal("not_found")


@pytest.mark.parametrize(
    ("shutdown_ms", "reason", "reported"),
    [(5000, "shutdown", False), (5000, "killed", True), (BRUTAL, "killed", False), (5000, "abnormal", True)],
)
def test_shutdown_error_is_reported_when_a_child_ends_otherwise_than_told(shutdown_ms, reason, reported):
    sup = Bench(Child("a", "m:Worker", shutdown_ms=shutdown_ms)).started()
    sup.stop_reasons["a1"] = reason
    sup.do("shutdown")
    assert (("shutdown_error", "a", reason) in sup.reports) is reported


def test_significant_temporary_ends_the_supervisor_with_any_significant():
    sup = Bench(child("a", TEMPORARY, significant=True), "b", auto_shutdown=ANY_SIGNIFICANT).started()
    assert not sup.exits("a1", "normal")


def test_significant_children_all_must_end_with_all_significant():
    sup = Bench(
        child("a", TRANSIENT, significant=True), child("b", TEMPORARY, significant=True), auto_shutdown=ALL_SIGNIFICANT
    ).started()
    assert sup.exits("a1", "normal")
    assert not sup.exits("b1", "abnormal")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Supervisor("two_for_one"),
        lambda: Supervisor(intensity=-1),
        lambda: Supervisor(period_s=0),
        lambda: Supervisor(SIMPLE_ONE_FOR_ONE),
        lambda: Supervisor(children=(Child("a", "m:Worker"), Child("a", "m:Worker"))),
        lambda: Supervisor(children=(child("a", TRANSIENT, significant=True),)),
        lambda: Child("a", "m:Worker", restart="sometimes"),
        lambda: Child("a", "m:Worker", shutdown_ms=-1),
        lambda: Child("a", "m:Worker", type="boss"),
        lambda: Child("a", "m.C"),
        lambda: Child("a", "m:Worker", significant=True),
    ],
)
def test_sup_flags_and_child_specs_that_contradict_themselves_are_refused(make):
    with pytest.raises(SpecError):
        make()
