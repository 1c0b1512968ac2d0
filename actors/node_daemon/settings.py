"""What a node daemon must know of the configuration, as one value."""

from __future__ import annotations

import pwd
import socket
from typing import Any

import msgspec

from flurm.config import Config, SlurmdConfig
from flurm.node.programs import Programs, programs_of
from protocol import versions
from protocol.versions import Version

NEWEST_SPOKEN = Version.V24_11
VERSIONS = tuple(sorted((version for version in Version if version <= NEWEST_SPOKEN), reverse=True))
"""What a controller is addressed in, best first; real controllers refuse versions newer than their own."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One node. Hardware that is None is found out; what is given is registered whatever the machine has."""

    node_name: str
    hostname: str
    spool_dir: str
    controllers: tuple[tuple[str, int], ...]
    bind: str = ""
    port: int = 6818
    cluster_name: str = ""
    cpus: int | None = None
    boards: int | None = None
    sockets: int | None = None
    cores_per_socket: int | None = None
    threads_per_core: int | None = None
    memory_mib: int | None = None
    tmp_disk_mib: int | None = None
    features: tuple[str, ...] = ()
    gres: str | None = None
    trusted_uids: frozenset[int] = frozenset({0})
    kill_wait_s: int = 30
    heartbeat_s: float = 30.0
    message_timeout_s: float = 10.0
    max_message: int = 1 << 30
    log_file: str | None = None
    bind_cpus: bool = True
    joins_with: str | None = None
    """Where the node joins without being configured: what its line says beside name and port, e.g. Feature=x."""
    node_addresses: dict[str, tuple[str, int]] = {}
    programs: Programs = Programs()
    shuts_down_on_reboot: bool = False


def settings_of(
    config: Config, *, own_uid: int, bind: str = "", log_file: str | None = None, joins_with: str | None = None
) -> Settings:
    """The settings of the node daemon on this host. Requests that change something come from root, SlurmUser or us.

    A node that the configuration declares listens on the port declared for it, and with Slurm's config_overrides it
    registers what is declared. CPUs are bound where jobs get this very machine's, and a site's slurm.conf wants it.
    """
    hostname = socket.gethostname().partition(".")[0]
    name = config.slurmd.node_name or hostname
    own = _declared(config, name)
    controllers = own.controllers or config.all_controllers
    overridden = (own.cpus, own.sockets, own.cores_per_socket, own.threads_per_core)
    task_plugin = config.slurm.get("TaskPlugin", "task/affinity" if config.slurm_conf is None else "task/none")
    return Settings(
        node_name=name,
        hostname=hostname,
        spool_dir=config.spool_dir_of(name, hostname),
        controllers=tuple((each.host, each.port) for each in controllers),
        bind=bind,
        port=own.slurmd_port,
        cluster_name=config.cluster_name,
        cpus=own.cpus,
        boards=own.boards,
        sockets=own.sockets,
        cores_per_socket=own.cores_per_socket,
        threads_per_core=own.threads_per_core,
        memory_mib=own.memory,
        tmp_disk_mib=own.tmp_disk,
        features=own.features,
        gres=own.gres,
        trusted_uids=frozenset({0, own_uid, *_uid_of(config.slurm_user)}),
        kill_wait_s=config.kill_wait,
        heartbeat_s=own.heartbeat_interval / 1000,
        message_timeout_s=float(config.message_timeout),
        max_message=config.max_message_size,
        log_file=log_file,
        joins_with=joins_with,
        bind_cpus=not any(overridden) and task_plugin != "task/none",
        shuts_down_on_reboot="shutdown_on_reboot" in config.slurm.get("SlurmdParameters", "").lower(),
        programs=programs_of(config.slurm, config.slurm_conf),
        node_addresses={each.name: (each.address or each.hostname or each.name, each.port) for each in config.nodes},
    )


def release_text(version: int) -> str:
    """What a node says its version is: a release number as Slurm's, because programs compare it, e.g. '24.11.0'."""
    return f"{versions.name(version)}.0"


def _declared(config: Config, name: str) -> SlurmdConfig:
    """[flurm.slurmd], completed by what the node's own declaration says."""
    own, node = config.slurmd, config.node(name)
    if node is None:
        return own
    changes: dict[str, Any] = {"gres": own.gres or node.gres}
    if own.slurmd_port == config.slurmd_port:
        changes["slurmd_port"] = node.port
    if "config_overrides" in config.slurm.get("SlurmdParameters", "") and own.cpus is None:
        changes |= {"cpus": node.cpus, "boards": node.boards, "sockets": node.sockets}
        changes |= {"cores_per_socket": node.cores_per_socket, "threads_per_core": node.threads_per_core}
        changes |= {"memory": node.real_memory_mib, "tmp_disk": node.tmp_disk_mib}
    return msgspec.structs.replace(own, **changes)


def _uid_of(user: str) -> tuple[int, ...]:
    try:
        return (int(user) if user.isdigit() else pwd.getpwnam(user).pw_uid,)
    except KeyError:
        return ()
