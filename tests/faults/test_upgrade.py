"""`flurm upgrade` under load: another release and back, with clients that submit and jobs that run all the while."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

import flurm
from flurm.otp.release import PACKAGES
from tests.faults.daemons import Daemons
from tests.faults.load import Load

SOURCE = Path(flurm.__file__).parent.parent
INSTALLED = flurm.__version__

# Three processes whose states change shape, a plugin whose policy changes, and a text that was wrong.
CHANGES: dict[str, tuple[tuple[str, str], ...]] = {
    "actors/job_manager.py": (
        ("    collected_s: float = 0.0\n", "    collected_s: float = 0.0\n    generation: int = 0\n"),
        ("    vsn = 1\n", "    vsn = 2\n"),
        (
            "    def handle_call(",
            "    def code_change(self, old_vsn, state, extra):\n"
            "        if isinstance(old_vsn, Down):\n"
            "            return State(state.ended, state.submitted, state.collected_s)\n"
            "        return State(state.ended, state.submitted, state.collected_s, 2)\n\n"
            "    def handle_call(",
        ),
        (
            "from flurm.core import submission\n",
            "from flurm.core import submission\nfrom flurm.otp.upgrade import Down\n",
        ),
    ),
    "actors/queue_manager.py": (
        ("    order: tuple[int, ...] = ()\n", "    order: tuple[int, ...] = ()\n    sorted: int = 0\n"),
        ("    vsn = 1\n", "    vsn = 2\n"),
        (
            "    def handle_call(",
            "    def code_change(self, old_vsn, state, extra):\n"
            "        return State(state.cluster, state.now_s, state.order)\n\n"
            "    def handle_call(",
        ),
        (
            "tuple(queue_order(cluster, now_s)))",
            "tuple(queue_order(cluster, now_s)), state.sorted + 1)",
        ),
    ),
    "actors/partition_manager.py": (
        ('return Ok({"changes": 0})', 'return Ok({"changed": 0})'),
        ("    vsn = 1\n", "    vsn = 2\n"),
        ('state["changes"] += 1', 'state["changed"] += 1'),
        (
            "    def handle_call(",
            "    def code_change(self, old_vsn, state, extra):\n"
            '        if "changes" in state:\n'
            '            return {"changed": state["changes"]}\n'
            '        return {"changes": state["changed"]}\n\n'
            "    def handle_call(",
        ),
    ),
    "flurm/sched/policies.py": (
        (
            "        return plan(cluster, order, now_s, depth=self.depth)\n",
            '        order = tuple(each for each in order if cluster.jobs[each].spec.name != "later")\n'
            "        return plan(cluster, order, now_s, depth=self.depth)\n",
        ),
    ),
    "flurm/sched/explain.py": (("There is no job {job_id}.", "No job has the number {job_id}."),),
}
FAILS = {
    "actors/queue_manager.py": (
        ("return State(state.cluster,", "raise ValueError('not today')\n        return State(state.cluster,"),
    )
}


def release(where: Path, cluster: Daemons, version: str, *edits: dict[str, tuple[tuple[str, str], ...]]) -> Path:
    """This very code, edited, as a release."""
    copied(where, *edits)
    made = cluster.run("release", "make", "--version", version, str(where))
    assert made.returncode == 0, made.stderr
    return where


def copied(where: Path, *edits: dict[str, tuple[tuple[str, str], ...]]) -> None:
    """This very code, edited."""
    for package in PACKAGES:
        shutil.copytree(SOURCE / package, where / package, ignore=shutil.ignore_patterns("__pycache__"))
    for changes in edits:
        for name, pairs in changes.items():
            path = where / name
            text = path.read_text()
            for old, new in pairs:
                assert old in text, f"{name}: {old!r}"
                text = text.replace(old, new, 1)
            path.write_text(text)


def runs(cluster: Daemons) -> str:
    """The version that runs, by what `flurm versions` shows."""
    return next(row["version"] for row in cluster.evaluate("versions()") if row["state"] == "runs")


def explained(cluster: Daemons) -> str:
    return cluster.evaluate("scheduler.debug_job(999999)")


def state(cluster: Daemons) -> dict:
    """The job manager's state."""
    return cluster.evaluate('sys.get_state("flurm_job_manager")')


@pytest.mark.timeout(300)
def test_a_release_with_new_states_a_new_policy_and_a_fix_goes_in_and_out_under_load(tmp_path):
    with Daemons() as cluster:
        cluster.await_node()
        gate = tmp_path / "gate"
        running = {
            cluster.client.submit(f"until test -e {gate}; do sleep 0.1; done; exit {number}", name=f"running-{number}")
            for number in range(10)
        }
        newer = release(tmp_path / "newer", cluster, "9.0", CHANGES)
        broken = release(tmp_path / "broken", cluster, "9.1", CHANGES, FAILS)
        load = Load(cluster)
        load.start()
        try:
            before = {row["name"]: row["pid"] for row in _workers(cluster)}
            assert runs(cluster) == INSTALLED
            assert explained(cluster) == "There is no job 999999."

            failed = cluster.run("upgrade", str(broken))
            assert (failed.returncode, "code_change of flurm_queue_manager failed" in failed.stderr) == (1, True)
            assert (runs(cluster), explained(cluster)) == (INSTALLED, "There is no job 999999.")
            assert "generation" not in state(cluster)

            upgraded = cluster.run("upgrade", str(newer))
            assert upgraded.returncode == 0, upgraded.stderr
            assert (runs(cluster), explained(cluster)) == ("9.0", "No job has the number 999999.")
            assert state(cluster)["generation"] == 2
            later = cluster.client.submit("true", name="later")
            cluster.await_end({cluster.client.submit("true", name="sooner")})
            assert cluster.client.jobs()[later].job_state == 0

            back = cluster.run("upgrade", "--rollback")
            assert back.returncode == 0, back.stderr
            assert (runs(cluster), explained(cluster)) == (INSTALLED, "There is no job 999999.")
            assert "generation" not in state(cluster)
            cluster.await_end({later})
            assert {row["name"]: row["pid"] for row in _workers(cluster)} == before
        finally:
            load.stop()
        assert load.failed == []
        assert len(load.acknowledged) > 50
        gate.touch()
        ended = cluster.await_end(running)
        assert sorted(ended[job_id].exit_code >> 8 for job_id in running) == list(range(10))
        load.check()
        assert all(row["restarts"] == 0 for row in _workers(cluster))


def test_a_plugin_of_a_site_is_reloaded_from_its_file(tmp_path, monkeypatch):
    policy = tmp_path / "site_policy.py"
    policy.write_text(
        "from flurm.sched.policies import Fifo\n\n\nclass Site(Fifo):\n"
        "    def decide(self, cluster, order, now_s):\n"
        "        return super().decide(cluster, order, now_s)\n"
    )
    package = tmp_path / "site_policy-1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: site-policy\nVersion: 1\n")
    (package / "entry_points.txt").write_text("[flurm.schedulers]\nsite = site_policy:Site\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Daemons(scheduler_plugin="site") as cluster:
        cluster.await_node()
        cluster.await_end({cluster.client.submit("true")})
        policy.write_text(policy.read_text().replace("cluster, order, now_s)\n", "cluster, (), now_s)\n").replace(
            "def decide(self, cluster, (), now_s)", "def decide(self, cluster, order, now_s)"))  # fmt: skip
        reloaded = cluster.run("reload", "site_policy")
        assert reloaded.returncode == 0, reloaded.stderr
        waits = cluster.client.submit("true")
        deadline_s = time.monotonic() + 1.5
        while time.monotonic() < deadline_s:
            assert cluster.client.jobs()[waits].job_state == 0
        policy.write_text(policy.read_text().replace("cluster, (), now_s", "cluster, order, now_s"))
        assert cluster.run("reload", "site_policy").returncode == 0
        cluster.await_end({waits})


def test_what_cannot_be_upgraded_is_refused_with_the_reason(tmp_path):
    with Daemons() as cluster:
        records = {
            "flurm/core/records.py": (("closed: str | None = None", "closed: str | None = None\n    more: int = 0"),)
        }
        newer = release(tmp_path / "newer", cluster, "9.0", records)
        refused = cluster.run("upgrade", str(newer))
        assert refused.returncode == 1
        assert "flurm.core.records.Cluster" in refused.stderr and "rolling upgrade" in refused.stderr
        assert cluster.run("upgrade", "nowhere").returncode == 1
        assert cluster.run("upgrade").returncode == 2
        assert "no release before" in cluster.run("upgrade", "--rollback").stderr
        planned = cluster.run("upgrade", "--dry-run", str(newer)).stdout
        assert "load" in planned and "flurm.core.records" in planned
        older = release(tmp_path / "older", cluster, "8.0")
        shown = cluster.run("release", "diff", str(older), str(newer))
        assert 'module = "flurm.core.records"' in shown.stdout
        assert cluster.client.submit("true")


def _workers(cluster: Daemons) -> list[dict]:
    """The rows of all named processes."""
    found: list[dict] = []

    def walk(row: dict) -> None:
        if row["name"]:
            found.append(row)
        for child in row["children"]:
            walk(child)

    for root in cluster.ask_http("/api/tree"):
        walk(root)
    return found
