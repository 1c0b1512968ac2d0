"""Links and monitors: who is told when a process exits.

A link is mutual and kills, unless its other end traps exits; a monitor is one-sided and sends one `Down`. Both sides of
each are kept, so that the end of either process takes the entry away. All under the system's lock: none of this is on
the path of a message.
"""

from __future__ import annotations

from typing import Any

from flurm.otp.messages import Down, MonitorRef, Pid
from flurm.otp.ports import ProcessPort


class Relations:
    """Mixed into System."""

    lock: Any
    monitored: dict[MonitorRef, Any]

    def find(self, target: str | Pid) -> ProcessPort | None:
        """See System."""
        raise NotImplementedError

    def monitor(self, watcher: ProcessPort, target: str | Pid) -> MonitorRef:
        """Have `watcher` told, once, when `target` exits; at once where it is not there."""
        with self.lock:
            watcher.ensure_alive()
            process = self.find(target)
            ref = MonitorRef(target, process.pid if process is not None else None)
            if process is not None:
                process.monitors[ref] = watcher
                watcher.watching[ref] = None
                self.monitored[ref] = process
                return ref
        watcher.put_info(Down(ref, target, None, "noproc"))
        return ref

    def demonitor(self, ref: MonitorRef) -> None:
        """Take a monitor back."""
        with self.lock:
            watcher = self.drop_monitor(ref)
            if watcher is not None:
                watcher.watching.pop(ref, None)

    def drop_monitor(self, ref: MonitorRef) -> ProcessPort | None:
        """Forget a monitor on the side of its target; returns the watcher. The runtime's own, under the lock."""
        process = self.monitored.pop(ref, None)
        return process.monitors.pop(ref, None) if process is not None else None

    def send_down(self, watcher: ProcessPort, ref: MonitorRef, reason: Any) -> None:
        """Tell a watcher, unless it has taken the monitor back; the runtime's own."""
        with self.lock:
            if self.monitored.pop(ref, None) is None:
                return
            watcher.watching.pop(ref, None)
        watcher.put_info(Down(ref, ref.target, ref.pid, reason))

    def link(self, process: ProcessPort, target: str | Pid) -> None:
        """Link `process` and `target`; an exit signal `noproc` where there is no target."""
        with self.lock:
            process.ensure_alive()
            other = self.find(target)
            if other is not None:
                process.links[other] = None
                other.links[process] = None
                return
        process.put_exit(target if isinstance(target, Pid) else None, "noproc")

    def unlink(self, process: ProcessPort, target: str | Pid) -> None:
        """Take a link back."""
        with self.lock:
            other = self.find(target)
            if other is not None:
                process.links.pop(other, None)
                other.links.pop(process, None)
