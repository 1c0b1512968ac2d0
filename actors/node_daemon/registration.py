"""What a node tells of itself: the bodies of registrations, pings and `scontrol show slurmd`, from the machine's facts.

Configured numbers replace the machine's, so that several nodes can share one host, as `slurmd`s do with
SlurmdParameters=config_overrides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from actors.node_daemon.settings import Settings, release_text
from flurm.bridge.node_gres import found_list
from flurm.node import inventory
from flurm.node.inventory import Hardware, Vitals
from flurm.node.spec import StepKey
from protocol.codec import pack
from protocol.constants import NO_VAL, DynamicNode
from protocol.messages.common import StepId
from protocol.messages.nodes import NodeRegistration, PingResponse, SlurmdStatus

_WANTS_RESPONSE = 2
_DEBUG_INFO = 3


def shape(settings: Settings, machine: Hardware) -> Hardware:
    """The hardware to register: the machine's, unless the configuration says what this node is."""
    given = (settings.cpus, settings.sockets, settings.cores_per_socket, settings.threads_per_core)
    cpus, sockets, cores, threads = machine.cpus, machine.sockets, machine.cores_per_socket, machine.threads_per_core
    if any(given):
        sockets, threads = settings.sockets or 1, settings.threads_per_core or 1
        cores = settings.cores_per_socket or max((settings.cpus or 1) // (sockets * threads), 1)
        cpus = settings.cpus or sockets * cores * threads
    return Hardware(
        hostname=settings.hostname,
        arch=machine.arch,
        os=machine.os,
        cpus=cpus,
        boards=settings.boards or machine.boards,
        sockets=sockets,
        cores_per_socket=cores,
        threads_per_core=threads,
        real_memory_mib=machine.real_memory_mib if settings.memory_mib is None else settings.memory_mib,
        tmp_disk_mib=machine.tmp_disk_mib if settings.tmp_disk_mib is None else settings.tmp_disk_mib,
    )


def registration(
    settings: Settings, hardware: Hardware, steps: Iterable[StepKey], version: int, *, started_s: int, now_s: int,
    first: bool, joins: bool = False, status: int = 0,
) -> NodeRegistration:  # fmt: skip
    """MESSAGE_NODE_REGISTRATION_STATUS; `steps` are those that run or whose end no controller has acknowledged.

    `status` tells of a job that could not be prepared (ESLURMD_PROLOG_FAILED): the controller then drains this node.
    With `joins` a dynamic node says what it is, so that a controller which does not know it takes it in.
    """
    vitals: Vitals = inventory.vitals()
    features = ",".join(settings.features) or None
    line = _node_line(settings, hardware) if joins and settings.joins_with is not None else None
    gres = pack(found_list(_gres(settings), hardware.cpus, version), version)
    return NodeRegistration(
        timestamp=now_s,
        slurmd_start_time=started_s,
        status=status,
        features_active=features,
        features_avail=features,
        hostname=settings.hostname,
        instance_id="",
        instance_type="",
        node_name=settings.node_name,
        arch=hardware.arch,
        os=hardware.os,
        cpus=hardware.cpus,
        boards=hardware.boards,
        sockets=hardware.sockets,
        cores=hardware.cores_per_socket,
        threads=hardware.threads_per_core,
        real_memory=hardware.real_memory_mib,
        tmp_disk=hardware.tmp_disk_mib,
        up_time=vitals.up_time_s,
        hash_val=NO_VAL,
        cpu_load=vitals.cpu_load,
        free_mem=vitals.free_memory_mib,
        step_id=[StepId(job_id=key.job_id, step_id=key.step_id, step_het_comp=NO_VAL) for key in steps],
        flags=_WANTS_RESPONSE if first else 0,
        gres_info_size=len(gres),
        gres_info=gres,
        version=release_text(version),
        dynamic_type=DynamicNode.NONE if line is None else DynamicNode.NORM,
        dynamic_conf=line,
    )


def _gres(settings: Settings) -> str | None:
    """What the node is said to have: where it joins by a line of its own, what that says."""
    said = _GRES.search(settings.joins_with or "")
    return said[1] if said else settings.gres


_GRES = re.compile(r"(?i)\bGres=(\S+)")


def _node_line(settings: Settings, hardware: Hardware) -> str:
    """What a dynamic node is, as a line of slurm.conf; what the administrator gave comes last and counts."""
    line = (
        f"NodeName={settings.node_name} CPUs={hardware.cpus} Boards={hardware.boards} Sockets={hardware.sockets} "
        f"CoresPerSocket={hardware.cores_per_socket} ThreadsPerCore={hardware.threads_per_core} "
        f"RealMemory={hardware.real_memory_mib} Port={settings.port}"
    )
    features = f" Feature={','.join(settings.features)}" if settings.features else ""
    return f"{line}{features} {settings.joins_with or ''}".rstrip()


def ping(settings: Settings) -> PingResponse:
    """RESPONSE_PING_SLURMD."""
    vitals = inventory.vitals()
    return PingResponse(cpu_load=vitals.cpu_load, free_mem=vitals.free_memory_mib, node_name=settings.node_name)


def status(
    settings: Settings, hardware: Hardware, steps: Iterable[StepKey], version: int, *, started_s: int, heard_s: int,
    pid: int,
) -> SlurmdStatus:  # fmt: skip
    """RESPONSE_SLURMD_STATUS."""
    names = ",".join(f"{key.job_id}.batch" for key in steps)
    return SlurmdStatus(
        booted=started_s,
        last_slurmctld_msg=heard_s,
        slurmd_debug=_DEBUG_INFO,
        actual_cpus=hardware.cpus,
        actual_boards=hardware.boards,
        actual_sockets=hardware.sockets,
        actual_cores=hardware.cores_per_socket,
        actual_threads=hardware.threads_per_core,
        actual_real_mem=hardware.real_memory_mib,
        actual_tmp_disk=hardware.tmp_disk_mib,
        pid=pid,
        hostname=settings.node_name,
        slurmd_logfile=settings.log_file,
        step_list=names or "NONE",
        version=release_text(version),
    )
