"""What this machine is: its name, processors, memory and the identity we run under.

Read once when a configuration is loaded, because the defaults of a one-machine cluster come from here. Tests hand in
a Machine of their own instead.
"""

import os
import platform
import pwd
import shutil
from pathlib import Path

import msgspec
import psutil

_TOPOLOGY = "/sys/devices/system/cpu/cpu{}/topology/{}"


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The hardware of one host and who runs FLURM on it; memory and disk in MiB."""

    hostname: str
    cpus: int = 1
    sockets: int = 1
    cores_per_socket: int = 1
    threads_per_core: int = 1
    memory_mib: int = 1024
    tmp_disk_mib: int = 0
    user: str = "root"
    is_root: bool = True
    state_home: str = "/root/.local/state"


def this_machine() -> Machine:
    """Look at the host that this process runs on."""
    cpus, sockets, cores, threads = _processors()
    uid = os.geteuid()
    return Machine(
        hostname=platform.node().split(".")[0] or "localhost",
        cpus=cpus,
        sockets=sockets,
        cores_per_socket=cores,
        threads_per_core=threads,
        memory_mib=psutil.virtual_memory().total >> 20,
        tmp_disk_mib=shutil.disk_usage("/tmp").total >> 20,
        user=_user_name(uid),
        is_root=uid == 0,
        state_home=os.environ.get("XDG_STATE_HOME") or str(Path("~/.local/state").expanduser()),
    )


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _processors() -> tuple[int, int, int, int]:
    """Return (cpus, sockets, cores per socket, threads per core) of the processors that we may use."""
    usable = sorted(os.sched_getaffinity(0))
    places = [(_topology(cpu, "physical_package_id"), _topology(cpu, "core_id")) for cpu in usable]
    sockets = len({socket for socket, _ in places})
    cores = len(set(places))
    if sockets and cores % sockets == 0 and len(usable) % cores == 0:
        return len(usable), sockets, cores // sockets, len(usable) // cores
    return len(usable), 1, len(usable), 1


def _topology(cpu: int, what: str) -> int:
    try:
        return int(Path(_TOPOLOGY.format(cpu, what)).read_text())
    except (OSError, ValueError):
        return 0 if what == "physical_package_id" else cpu
