"""Limits by cgroup v2, where this daemon was given a subtree of its own. Standard library only.

A subtree is usable when its directory is writable and its controllers reach its children: a systemd unit with
`Delegate=yes` and the daemon in a sub-group of its own. Everywhere else `step_group` gives None, and the step manager
binds with affinity and watches the memory itself.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MOUNT = Path("/sys/fs/cgroup")


def delegated_root(mount: Path = MOUNT, own: Path = Path("/proc/self/cgroup")) -> Path | None:
    """The directory below which step groups may be made; None where there is none."""
    try:
        line = next(line for line in own.read_text().splitlines() if line.startswith("0::"))
    except (OSError, StopIteration):
        return None
    group = mount / line.removeprefix("0::").lstrip("/")
    for candidate in (group, group.parent):
        with contextlib.suppress(OSError):
            controllers = (candidate / "cgroup.subtree_control").read_text().split()
            if "memory" in controllers and candidate != mount and os.access(candidate / "cgroup.procs", os.W_OK):
                return candidate
    return None


def step_group(plan: Mapping[str, Any]) -> StepGroup | None:
    """Makes the step's group with its limits; None where the plan names no root or the kernel refuses."""
    if not plan.get("cgroup_root"):
        return None
    group = StepGroup(Path(plan["cgroup_root"]) / f"flurm-{plan['name']}")
    try:
        group.path.mkdir(exist_ok=True)
        group.limits_memory = group.write("memory.max", str(plan["memory_mib"] << 20)) if plan["memory_mib"] else False
    except OSError:
        return None
    if group.limits_memory:
        group.write("memory.swap.max", "0")
        group.write("memory.oom.group", "1")
    if plan["cpu_ids"]:
        group.write("cpuset.cpus", ",".join(map(str, plan["cpu_ids"])))
    return group


class StepGroup:
    """One step's control group."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.limits_memory = False

    def write(self, name: str, value: str) -> bool:
        """Sets one knob; whether the kernel took it."""
        try:
            (self.path / name).write_text(value)
        except OSError:
            return False
        return True

    def enter(self) -> None:
        """Moves the calling process in; raises OSError where the kernel refuses."""
        (self.path / "cgroup.procs").write_text(str(os.getpid()))

    def kill(self) -> None:
        """Kills every process of the group at once (Linux 5.14 and later; a no-op before)."""
        self.write("cgroup.kill", "1")

    def saw_oom_kill(self) -> bool:
        """Whether the kernel killed in this group for want of memory."""
        try:
            events = dict(line.split() for line in (self.path / "memory.events").read_text().splitlines())
        except (OSError, ValueError):
            return False
        return int(events.get("oom_kill", 0)) > 0

    def remove(self) -> None:
        """Takes the group away."""
        with contextlib.suppress(OSError):
            self.path.rmdir()
