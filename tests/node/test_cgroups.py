"""Control groups, on a tree of plain files that looks like the kernel's."""

import pytest

from flurm.node import cgroups


@pytest.fixture
def mount(tmp_path):
    for name in ("flurm", "flurm/daemon"):
        (tmp_path / "cg" / name).mkdir(parents=True)
    knobs(tmp_path / "cg/flurm", "cpuset cpu memory pids")
    knobs(tmp_path / "cg/flurm/daemon", "")
    return tmp_path / "cg"


def knobs(group, controllers):
    (group / "cgroup.subtree_control").write_text(controllers + "\n")
    (group / "cgroup.procs").touch()


def own_group(tmp_path, path):
    (tmp_path / "self").write_text(f"12:memory:/elsewhere\n0::{path}\n")
    return tmp_path / "self"


def plan(mount, **changes):
    given = {"name": "job00001.0.batch", "cgroup_root": str(mount / "flurm"), "memory_mib": 100, "cpu_ids": [0, 2]}
    return given | changes


def test_a_daemon_in_a_group_beside_its_steps_finds_their_root(mount, tmp_path):
    assert cgroups.delegated_root(mount, own_group(tmp_path, "/flurm/daemon")) == mount / "flurm"


def test_a_group_that_hands_no_memory_controller_down_is_no_root(mount, tmp_path):
    knobs(mount / "flurm", "pids")
    assert cgroups.delegated_root(mount, own_group(tmp_path, "/flurm/daemon")) is None


def test_a_machine_without_cgroup_v2_has_no_root(mount, tmp_path):
    (tmp_path / "self").write_text("12:memory:/elsewhere\n")
    assert cgroups.delegated_root(mount, tmp_path / "self") is None
    assert cgroups.delegated_root(mount, tmp_path / "gone") is None


def test_the_mount_itself_is_never_taken_for_a_delegated_group(mount, tmp_path):
    knobs(mount, "memory")
    assert cgroups.delegated_root(mount, own_group(tmp_path, "/")) is None


def test_a_step_gets_a_group_with_its_limits(mount):
    group = cgroups.step_group(plan(mount))
    assert group.limits_memory
    written = {name: (group.path / name).read_text() for name in ("memory.max", "memory.swap.max", "cpuset.cpus")}
    assert written == {"memory.max": str(100 << 20), "memory.swap.max": "0", "cpuset.cpus": "0,2"}


def test_a_step_without_a_memory_limit_gets_a_group_that_does_not_limit_it(mount):
    group = cgroups.step_group(plan(mount, memory_mib=0))
    assert not group.limits_memory
    assert not (group.path / "memory.max").exists()


def test_a_group_that_cannot_be_made_leaves_the_step_without_one(mount):
    assert cgroups.step_group(plan(mount, cgroup_root=str(mount / "gone"))) is None
    assert cgroups.step_group(plan(mount, cgroup_root="")) is None


def test_a_kill_for_want_of_memory_is_seen_in_the_groups_events(mount):
    group = cgroups.step_group(plan(mount))
    assert not group.saw_oom_kill()
    (group.path / "memory.events").write_text("low 0\noom 1\noom_kill 2\n")
    assert group.saw_oom_kill()
