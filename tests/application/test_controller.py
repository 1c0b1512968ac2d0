"""The controller as a whole, in this process: the documented tree, what it shows over HTTP, how it starts and ends."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest
from structlog.testing import capture_logs

from actors.net import rpc
from flurm.application import Application, StartFailed
from flurm.bridge.calls import Control
from flurm.config import load
from flurm.console.log_levels import LEVELS
from flurm.core.effects import Done, Rejected
from flurm.storage.errors import StateDirHeld
from protocol.constants import MessageType
from protocol.versions import Version
from tests.application.controllers import running, until, write_config

DOCUMENTED_TREE = {
    "flurm_sup": ("one_for_one", ["flurm_protocol_sup", "flurm_core_sup", "flurm_scheduler_sup", "flurm_metrics_sup"]),
    "flurm_protocol_sup": (
        "one_for_all",
        ["flurm_acceptor_pool", "flurm_protocol_decoder", "flurm_protocol_encoder"],
    ),
    "flurm_acceptor_pool": ("simple_one_for_one", ["flurm_connection_handler"] * 8),
    "flurm_core_sup": (
        "rest_for_one",
        [
            "flurm_consensus", "flurm_state_manager", "flurm_job_manager", "flurm_node_manager",
            "flurm_partition_manager", "flurm_queue_manager",
        ],
    ),
    "flurm_scheduler_sup": ("one_for_one", ["flurm_scheduler_engine", "flurm_sched_plugin_sup"]),
    "flurm_metrics_sup": ("one_for_one", ["flurm_prometheus_exporter", "flurm_tracer", "flurm_health_checker"]),
}  # fmt: skip

DOCUMENTED_METRICS = {
    "flurm_jobs_total": "counter",
    "flurm_jobs_running": "gauge",
    "flurm_jobs_pending": "gauge",
    "flurm_jobs_completed": "counter",
    "flurm_jobs_failed": "counter",
    "flurm_nodes_total": "gauge",
    "flurm_nodes_idle": "gauge",
    "flurm_nodes_allocated": "gauge",
    "flurm_nodes_down": "gauge",
    "flurm_scheduler_cycle_ms": "histogram",
    "flurm_protocol_requests": "counter",
    "flurm_consensus_term": "gauge",
    "flurm_consensus_commits": "counter",
    "flurm_consensus_is_leader": "gauge",
    "flurm_storage_syncs": "counter",
    "flurm_storage_entries": "counter",
    "flurm_storage_snapshots": "counter",
    "flurm_storage_snapshot_seconds": "gauge",
    "flurm_consensus_longest_silence_seconds": "gauge",
}


def get(application: Application, path: str) -> tuple[int, str]:
    url = f"http://127.0.0.1:{application.config.http_port}{path}"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def walk(row):
    yield row
    for child in row["children"]:
        yield from walk(child)


def test_the_tree_is_the_documented_one(tmp_path):
    with running(tmp_path) as application:
        until(lambda: application.system.whereis("flurm_sched_fairshare"))
        (root,) = application.system.tree()
        found = {row["id"]: row for row in walk(root)}
        for name, (strategy, children) in DOCUMENTED_TREE.items():
            assert (found[name]["strategy"], [child["id"] for child in found[name]["children"]]) == (strategy, children)
        plugins = {child["name"] for child in found["flurm_sched_plugin_sup"]["children"]}
        assert plugins == {"flurm_sched_fifo", "flurm_sched_backfill", "flurm_sched_fairshare"}


def test_metrics_have_the_documented_names_and_types(tmp_path):
    with running(tmp_path) as application:
        until(lambda: "flurm_scheduler_cycle_ms_count" in get(application, "/metrics")[1])
        status, text = get(application, "/metrics")
        assert status == 200
        declared = dict(line.split()[2:4] for line in text.splitlines() if line.startswith("# TYPE"))
        shown = {name.removesuffix("_total"): kind for name, kind in declared.items()}
        for name, kind in DOCUMENTED_METRICS.items():
            assert shown.get(name.removesuffix("_total")) == kind, name


def test_health_is_the_documented_json(tmp_path):
    with running(tmp_path) as application:
        _, text = until(lambda: (found := get(application, "/health"))[0] == 200 and found)
        health = json.loads(text)
        assert (health["status"], health["consensus"]) == ("healthy", "leader")
        assert set(health["nodes"]) == {"total", "up", "down"}
        assert set(health["jobs"]) == {"running", "pending"}


def test_the_page_shows_tree_nodes_and_jobs(tmp_path):
    with running(tmp_path) as application:
        status, page = get(application, "/")
        assert status == 200
        assert all(word in page for word in ("flurm_state_manager", "Nodes", "Jobs", "test"))


def test_control_is_not_for_the_network(tmp_path):
    with running(tmp_path) as application:
        request = urllib.request.Request(
            f"http://127.0.0.1:{application.config.http_port}/control/stop", method="POST", data=b""
        )
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=10)
        assert refused.value.code == 403
        assert application.system.whereis("flurm_sup")


def test_a_second_controller_is_told_who_holds_the_state(tmp_path):
    with running(tmp_path) as application:
        second = Application(load(application.config_path), application.config_path)
        with pytest.raises(StateDirHeld) as refused:
            second.start()
        assert str(application.pid) in str(refused.value)


def test_a_taken_port_is_an_error_that_says_what_to_do(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    second.mkdir()
    with running(first) as application:
        path = write_config(second, slurmctld_port=application.config.slurmctld_port)
        with pytest.raises(StartFailed, match=r"another controller running\? Set slurmctld_port"):
            Application(load(path), path).start()


def test_what_was_there_is_there_after_a_restart(tmp_path):
    with running(tmp_path) as application:
        version = application.system.terms["cluster"].version
        path = application.config_path
    again = Application(load(path), path)
    again.start()
    try:
        assert again.system.terms["cluster"].version > version
        assert again.system.terms["cluster"].node_order == application.system.terms["cluster"].node_order
    finally:
        again.stop()


def test_a_bad_configuration_changes_nothing_on_reconfigure(tmp_path):
    with running(tmp_path) as application:
        before = application.system.terms["cluster"]
        good = application.config_path.read_text()
        application.config_path.write_text(good + "no_such_key = 1\n")
        reply = application.carry_out(Control("reconfigure", 0))
        assert isinstance(reply, Rejected)
        assert application.system.terms["cluster"] is before
        application.config_path.write_text(good + "min_job_age = 77\n")
        assert application.carry_out(Control("reconfigure", 0)) == Done()
        assert application.system.terms["cluster"].settings.min_job_age_s == 77


def reconfigured(application, lines):
    """Add lines to the configuration's file, ask for it to be read again, and return the answer."""
    good = application.config_path.read_text()
    application.config_path.write_text(good + lines)
    try:
        return application.carry_out(Control("reconfigure", 0))
    finally:
        application.config_path.write_text(good)


def test_a_scheduler_plugin_that_there_is_not_is_refused_on_reconfigure_with_all_the_rest(tmp_path):
    with running(tmp_path) as application:
        reply = reconfigured(application, 'min_job_age = 78\nscheduler_plugin = "no_such"\n')
        assert isinstance(reply, Rejected) and "no_such" in reply.text
        assert application.system.terms["cluster"].settings.min_job_age_s == 300


def test_another_scheduler_plugin_and_log_level_count_at_once(tmp_path):
    with running(tmp_path, schedule_interval=50) as application:
        assert reconfigured(application, 'scheduler_plugin = "flurm_sched_fifo"\nlog_level = "error"\n') == Done()
        assert LEVELS.level == "error"
        plugin = lambda: application.system.call("flurm_scheduler_engine", "status")["plugin"]  # noqa: E731
        until(lambda: plugin() == "flurm_sched_fifo")


def test_what_takes_a_restart_stays_until_then_and_is_told(tmp_path):
    with running(tmp_path) as application, capture_logs() as logs:
        before = application.config.http_host
        assert reconfigured(application, 'http_host = "127.0.0.9"\nkill_wait = 9\n') == Done()
        assert (application.config.http_host, application.config.kill_wait) == (before, 9)
        told = [each["key"] for each in logs if each["event"] == "takes a restart of this controller"]
        assert told == ["http_host"]


def test_an_unknown_scheduler_plugin_is_refused_with_the_nearest_name(tmp_path):
    path = write_config(tmp_path, scheduler_plugin="flurm_sched_backfil")
    with pytest.raises(StartFailed, match="did you mean flurm_sched_backfill"):
        Application(load(path), path).start()


def test_requests_and_scheduling_cycles_leave_spans(tmp_path):
    with running(tmp_path) as application:
        address = ("127.0.0.1", application.config.slurmctld_port)
        signer = application.system.env["signer"]
        rpc.call(address, MessageType.REQUEST_PING, None, version=Version.V22_05, signer=signer)

        def spans(name):
            return json.loads(get(application, f"/api/trace?name={name}")[1])

        (ping,) = until(lambda: spans("REQUEST_PING"))
        assert (ping["attributes"]["peer"], ping["duration_us"] > 0) == ("127.0.0.1", True)
        assert until(lambda: spans("schedule"))[0]["attributes"]["plugin"] == "flurm_sched_backfill"
        assert get(application, "/api/trace?limit=x")[0] == 400
