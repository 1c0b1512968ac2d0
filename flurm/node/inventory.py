"""What this machine is and how busy it is: the facts that a node daemon registers, as `slurmd -C` finds them.

Only processors that this process may use are counted, so a daemon in a cpuset registers the cpuset.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec

_CPU_ROOT = Path("/sys/devices/system/cpu")


class Hardware(msgspec.Struct, frozen=True, kw_only=True):
    """What does not change while the machine is up; memory and disk in MiB."""

    hostname: str
    arch: str
    os: str
    cpus: int
    boards: int = 1
    sockets: int = 1
    cores_per_socket: int = 1
    threads_per_core: int = 1
    real_memory_mib: int = 0
    tmp_disk_mib: int = 0


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """What changes: seconds since the boot, when that was, load average of five minutes times 100, free memory."""

    up_time_s: int
    boot_time_s: int
    cpu_load: int
    free_memory_mib: int


def hardware(tmp_dir: str = "/tmp") -> Hardware:
    """Looks at this machine; `tmp_dir` is the file system whose size is reported (Slurm's TmpFS)."""
    system = os.uname()
    cores = core_cpus()
    sockets = len({_socket(cpus[0]) for cpus in cores})
    threads = max(len(cpus) for cpus in cores)
    regular = len(cores) % sockets == 0 and all(len(cpus) == threads for cpus in cores)
    count = sum(len(cpus) for cpus in cores)
    disk = os.statvfs(tmp_dir)
    return Hardware(
        hostname=system.nodename.partition(".")[0],
        arch=system.machine,
        os=f"{system.sysname} {system.release} {system.version}",
        cpus=count,
        sockets=sockets if regular else 1,
        cores_per_socket=len(cores) // sockets if regular else count,
        threads_per_core=threads if regular else 1,
        real_memory_mib=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20,
        tmp_disk_mib=disk.f_blocks * disk.f_frsize >> 20,
    )


def vitals() -> Vitals:
    """How the machine is now."""
    up_time_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    return Vitals(
        up_time_s=int(up_time_s),
        boot_time_s=int(time.time() - up_time_s),
        cpu_load=int(os.getloadavg()[1] * 100),
        free_memory_mib=os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20,
    )


def core_cpus() -> tuple[tuple[int, ...], ...]:
    """The logical CPUs of every usable core, socket by socket: the order of the bits in Slurm's core bitmaps."""
    cores: dict[tuple[int, int], list[int]] = {}
    for cpu in sorted(os.sched_getaffinity(0)):
        cores.setdefault((_socket(cpu), _topology(cpu, "core_id", cpu)), []).append(cpu)
    order = sorted(cores, key=lambda place: (place[0], cores[place][0]))
    return tuple(tuple(cores[place]) for place in order)


def _socket(cpu: int) -> int:
    return max(0, _topology(cpu, "physical_package_id", 0))


def _topology(cpu: int, what: str, default: int) -> int:
    try:
        return int((_CPU_ROOT / f"cpu{cpu}" / "topology" / what).read_text())
    except (OSError, ValueError):
        return default
