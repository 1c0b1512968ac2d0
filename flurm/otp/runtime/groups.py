"""Process groups (`pg` of OTP): named sets of processes that come and go.

A process may join a group several times and is a member until it has left as often, or has exited. Who monitors a
group is told of every change. Under the system's lock: nothing here is on the path of a message.
"""

from __future__ import annotations

from typing import Any

from flurm.otp.errors import NoProcess
from flurm.otp.messages import GroupChanged, MonitorRef, Pid
from flurm.otp.ports import ProcessPort


class Groups:
    """Mixed into System."""

    lock: Any
    _groups: dict[Any, list[Pid]]
    _group_monitors: dict[Any, dict[MonitorRef, ProcessPort]]

    def find(self, target: str | Pid) -> ProcessPort | None:
        """See System."""
        raise NotImplementedError

    def join(self, group: Any, *pids: Pid) -> None:
        """Make processes members of `group`. Raises NoProcess."""
        with self.lock:
            for pid in pids:
                if self.find(pid) is None:
                    raise NoProcess(pid)
            self._groups.setdefault(group, []).extend(pids)
        self._tell(group, "join", pids)

    def leave(self, group: Any, *pids: Pid) -> bool:
        """Take each of `pids` out of `group` once; False where none was in it."""
        with self.lock:
            members = self._groups.get(group, [])
            left = tuple(pid for pid in pids if pid in members)
            for pid in left:
                members.remove(pid)
            if not members:
                self._groups.pop(group, None)
        self._tell(group, "leave", left)
        return bool(left)

    def members(self, group: Any) -> list[Pid]:
        """Who is in it, in the order of joining; a process is in it as often as it joined."""
        return list(self._groups.get(group, ()))

    def which_groups(self) -> list[Any]:
        """All groups that have members."""
        return list(self._groups)

    def monitor_group(self, watcher: ProcessPort, group: Any) -> tuple[MonitorRef, list[Pid]]:
        """Have `watcher` told of changes by `GroupChanged`; returns who is in the group now."""
        ref = MonitorRef(group, None)
        with self.lock:
            watcher.ensure_alive()
            self._group_monitors.setdefault(group, {})[ref] = watcher
            return ref, self.members(group)

    def demonitor_group(self, ref: MonitorRef) -> None:
        """Take a group's monitor back."""
        with self.lock:
            watchers = self._group_monitors.get(ref.target, {})
            watchers.pop(ref, None)
            if not watchers:
                self._group_monitors.pop(ref.target, None)

    def leave_all(self, process: Any) -> None:
        """A process has exited: it leaves every group and watches none. The runtime's own."""
        if not self._groups and not self._group_monitors:
            return
        for group in self.which_groups():
            times = self.members(group).count(process.pid)
            for _ in range(times):
                self.leave(group, process.pid)
        for watchers in list(self._group_monitors.values()):
            for ref, watcher in list(watchers.items()):
                if watcher is process:
                    self.demonitor_group(ref)

    def _tell(self, group: Any, kind: str, pids: tuple[Pid, ...]) -> None:
        if not pids:
            return
        for ref, watcher in list(self._group_monitors.get(group, {}).items()):
            watcher.put_info(GroupChanged(ref, kind, group, pids))
