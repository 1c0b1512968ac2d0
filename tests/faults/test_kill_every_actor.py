"""Every process of the tree dies in turn, one per second, while clients submit."""

from __future__ import annotations

import http.client
import json
import re
import time
from typing import Any

import pytest

from tests.faults import tree
from tests.faults.daemons import Daemons
from tests.faults.load import Load

HANDLERS = 8
EVERY_S = 1.0
RECOVERY_S = 10.0

# Within the documented intensity of 10 restarts in 60 s: six in flurm_core_sup, four in the root are the most.
VICTIMS = (*tree.WORKERS, *(name for name in reversed(tree.SUPERVISORS) if name != tree.ROOT))


class Tree:
    """The tree of a running controller, as `flurm tree` shows it."""

    def __init__(self, roots: list[dict[str, Any]]) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.handlers: list[dict[str, Any]] = []
        for root in roots:
            self._add(root)

    def _add(self, row: dict[str, Any]) -> None:
        if row["id"] == "flurm_connection_handler":
            self.handlers.append(row)
        elif row["name"]:
            self.rows[row["name"]] = row
        for child in row["children"]:
            self._add(child)

    @property
    def pids(self) -> dict[str, str]:
        """Which process has which name now."""
        return {name: row["pid"] for name, row in self.rows.items()}

    def is_whole(self) -> bool:
        """Whether every documented process runs and the pool is filled."""
        wanted = {tree.ROOT, *tree.PARENT}
        running = {name for name, row in self.rows.items() if row["status"] == "running"}
        return wanted <= running and len(self.handlers) >= HANDLERS


class Killer:
    """Kills processes of a controller and waits for the supervisors."""

    def __init__(self, cluster: Daemons, how: str) -> None:
        self.cluster = cluster
        self.how = how
        self._next_s = time.monotonic()

    def kill(self, name: str) -> set[str]:
        """End a process when its second has come; returns the names that belong to other processes afterwards."""
        self._next_s += EVERY_S
        before = self.await_whole()
        time.sleep(max(self._next_s - time.monotonic(), 0))  # one per second: the pace is the test
        assert self.cluster.ask_http(f"/control/kill/{name}?how={self.how}", "POST")["killed"] == name
        self.cluster.await_that(f"{name} is restarted", lambda: self._is_new(name, before), RECOVERY_S)
        after = self.await_whole()
        return {name for name, pid in after.pids.items() if before.pids.get(name) != pid}

    def kill_a_handler(self) -> set[str]:
        """End a connection handler, which has no name; returns as `kill`."""
        before = self.await_whole()
        victim = before.handlers[0]["pid"]
        self.cluster.ask_http(f"/control/kill/{victim}?how={self.how}", "POST")
        self.cluster.await_that("the handler is replaced", lambda: victim not in _pids(self.await_whole()), RECOVERY_S)
        after = self.await_whole()
        return {name for name, pid in after.pids.items() if before.pids.get(name) != pid}

    def await_whole(self) -> Tree:
        """The tree, once everything in it runs."""
        return self.cluster.await_that("the tree is whole", self._whole, RECOVERY_S)

    def _whole(self) -> Tree | None:
        seen = self._look()
        return seen if seen is not None and seen.is_whole() else None

    def _is_new(self, name: str, before: Tree) -> bool:
        seen = self._look()
        return seen is not None and seen.pids.get(name) not in (None, before.pids[name])

    def _look(self) -> Tree | None:
        try:
            return Tree(self.cluster.ask_http("/api/tree"))
        except (OSError, http.client.HTTPException):  # the exporter itself is being restarted
            return None


@pytest.mark.parametrize("how", ["kill", "crash"])
def test_every_actor_dies_in_turn_and_no_acknowledged_job_is_lost_or_run_twice(how):
    with Daemons() as cluster:
        cluster.await_node()
        load, killer, restarts = Load(cluster), Killer(cluster, how), tree.Restarts()
        load.start()
        try:
            assert killer.kill_a_handler() == set()
            for victim in VICTIMS:
                assert killer.kill(victim) == tree.restarted(victim), f"after the death of {victim}"
                restarts.killed(victim)
            shown = Tree(json.loads(cluster.run("tree", "--json").stdout))
            text = cluster.run("tree").stdout
        finally:
            load.stop()
        assert {name: row["restarts"] for name, row in shown.rows.items()} == restarts.count
        assert shown_restarts(text) == restarts.count
        assert len(load.acknowledged) > 100
        load.check()
        assert cluster.ask_http("/health")["status"] == "healthy"


@pytest.mark.parametrize("how", ["kill", "crash"])
def test_a_handler_that_dies_takes_nothing_along(how):
    with Daemons() as cluster:
        killer = Killer(cluster, how)
        assert killer.kill_a_handler() == set()
        assert sorted(row["restarts"] for row in killer.await_whole().handlers) == [0] * (HANDLERS - 1) + [1]
        cluster.client.ping()


@pytest.mark.parametrize(
    "victim", ["flurm_protocol_decoder", "flurm_queue_manager", "flurm_scheduler_engine", "flurm_tracer"]
)
def test_a_process_that_dies_too_often_takes_its_supervisor_along_and_the_root_starts_it_anew(victim):
    """Ten restarts in 60 s are allowed, the eleventh death is one too many."""
    with Daemons() as cluster:
        killer = Killer(cluster, "kill")
        before = killer.await_whole()
        for _ in range(11):
            pid = killer.await_whole().pids[victim]
            cluster.ask_http(f"/control/kill/{victim}", "POST")
            cluster.await_that(
                f"{victim} is replaced", lambda pid=pid: killer.await_whole().pids[victim] != pid, RECOVERY_S
            )
        after = killer.await_whole()
        supervisor = tree.PARENT[victim]
        assert {name for name, pid in after.pids.items() if before.pids[name] != pid} == set(tree.below(supervisor))
        assert after.rows[supervisor]["restarts"] == 1
        assert after.rows[victim]["restarts"] == 0
        assert cluster.client.submit("true", priority=0)


def test_a_controller_whose_root_dies_ends_and_can_be_started_again():
    with Daemons() as cluster:
        cluster.await_node()
        gate = cluster.place / "gate"
        job_id = cluster.client.submit(f"until test -e {gate}; do sleep 0.05; done; exit 8")
        cluster.ask_http("/control/kill/flurm_sup", "POST")
        assert cluster.controller.wait(30) == 1
        assert "the root supervisor gave up" in cluster.log.read_text()
        cluster.start()
        gate.touch()
        assert cluster.await_end({job_id})[job_id].exit_code == 8 << 8


def shown_restarts(text: str) -> dict[str, int]:
    """The restarts of every documented process that the text of `flurm tree` shows."""
    found = re.findall(r"(flurm_\w+)  <.*restarts (\d+)", text)
    return {name: int(count) for name, count in found if name != "flurm_connection_handler"}


def _pids(seen: Tree) -> list[str]:
    return [row["pid"] for row in seen.handlers]
