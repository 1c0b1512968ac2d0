"""The configuration as the core takes it: settings, nodes and partitions in one `Configure` command."""

from __future__ import annotations

import hashlib
import os
from typing import Any

import msgspec

from flurm import __version__
from flurm.bridge import users
from flurm.config import ConfigFiles, changed_s, config_files, shared_digest
from flurm.config.records import Config, NodeConfig, PartitionConfig
from flurm.core.commands import Configure
from flurm.core.enums import NodeFlag, NodeState, PartitionState
from flurm.core.node_records import Node, Partition
from flurm.core.record import UNLIMITED
from flurm.core.records import Settings
from protocol.hostlist import fold

__all__ = ["Reading", "command", "is_same", "node_of", "read_from", "text_of"]


class Reading(msgspec.Struct, frozen=True):
    """A configuration as read from its files, what is served of them, and what tells it from another one."""

    config: Config
    fingerprint: str
    changed_s: int
    """When the newest of the files was written."""
    files: ConfigFiles | None = None


def read_from(config: Config) -> Reading:
    """What belongs to a configuration that has just been loaded. Raises OSError."""
    fingerprint = _fingerprint(_settings(config), config)
    return Reading(config, fingerprint, changed_s(config), config_files(config))


def is_same(fingerprint: str, other: str) -> bool | None:
    """Whether two fingerprints are of files that say the same; None where that cannot be told, since they are of
    different releases."""
    *one, one_release = fingerprint.split("/")
    *two, two_release = other.split("/")
    return one == two if one_release == two_release else None


def command(config: Config, *, now_s: int, keep_changes: bool) -> Configure:
    """The command that makes a cluster what the configuration says."""
    settings = _settings(config)
    nodes = tuple(node_of(each, index, now_s) for index, each in enumerate(config.nodes))
    partitions = tuple(_partition(each) for each in config.partitions)
    return Configure(
        now_s=now_s,
        settings=settings,
        nodes=nodes,
        partitions=partitions,
        fingerprint=_fingerprint(settings, config),
        keep_changes=keep_changes,
    )


def _fingerprint(settings: Settings, config: Config) -> str:
    """Three words between slashes: a hash of all that the command is made from, the time aside; one of what else the
    controllers of a cluster have in common; the release, another one of which may hash otherwise."""
    data = msgspec.json.encode((settings, config.nodes, config.partitions), order="deterministic")
    return f"{hashlib.sha256(data).hexdigest()}/{shared_digest(config)}/{__version__}"


def _settings(config: Config) -> Settings:
    return Settings(
        cluster_name=config.cluster_name,
        slurm_user_id=_slurm_user_id(config),
        first_job_id=config.first_job_id,
        max_job_id=config.max_job_id,
        max_job_count=config.max_job_count,
        max_array_size=config.max_array_size,
        max_node_count=config.max_node_count,
        min_job_age_s=config.min_job_age,
        kill_wait_s=config.kill_wait,
        over_time_limit_min=UNLIMITED if config.over_time_limit is None else config.over_time_limit,
        enforce_part_limits=config.enforce_part_limits,
        job_requeue=config.job_requeue,
        default_memory_per_cpu_mib=config.def_mem_per_cpu,
        default_memory_per_node_mib=config.def_mem_per_node,
        max_memory_per_cpu_mib=config.max_mem_per_cpu,
        max_memory_per_node_mib=config.max_mem_per_node,
        memory_is_consumed="MEMORY" in config.select_type_parameters.upper(),
        kill_invalid_dependency=_has(config, "DependencyParameters", "kill_invalid_depend"),
        return_to_service=config.return_to_service,
        priority_type=config.priority_type.removeprefix("priority/"),
        user_may_top="enable_user_top" in (config.scheduler_parameters or ""),
        licenses=config.licenses or None,
        switches=config.switches,
        **_programs(config),
    )


def _programs(config: Config) -> dict[str, Any]:
    """Which programs the controller runs around jobs, and when it gives them up."""
    reboots_here = "reboot_from_controller" in _words(config, "SlurmctldParameters")
    return {
        "prolog_slurmctld": _paths(config, "PrologSlurmctld"),
        "epilog_slurmctld": _paths(config, "EpilogSlurmctld"),
        "prolog_limit_s": _limit_s(config, "PrologTimeout", "PrologEpilogTimeout"),
        "epilog_limit_s": _limit_s(config, "EpilogTimeout", "PrologEpilogTimeout"),
        "mail_program": text_of(config, "MailProg") or DEFAULT_MAIL_PROGRAM,
        "resume_timeout_s": _limit_s(config, "ResumeTimeout") or 60,
        "reboot_program": text_of(config, "RebootProgram") if reboots_here else None,
        "user_triggers": "allow_user_triggers" in _words(config, "SlurmctldParameters"),
    }


_NO_LIMIT_S = 65534
DEFAULT_MAIL_PROGRAM = "/bin/mail"
"""/usr/bin/mail where this one is not; who runs it looks."""


def text_of(config: Config, key: str) -> str | None:
    """What slurm.conf says of a key, None where it says nothing."""
    found = next((text for name, text in config.slurm.items() if name.lower() == key.lower()), None)
    return None if found is None or found.lower() in ("", "(null)") else found


def _paths(config: Config, key: str) -> tuple[str, ...]:
    return tuple(path.strip() for path in (text_of(config, key) or "").split(",") if path.strip())


def _words(config: Config, key: str) -> set[str]:
    return {word.strip().lower() for word in (text_of(config, key) or "").split(",")}


def _limit_s(config: Config, *keys: str) -> int:
    """The first of these that is given as a number of seconds; 0: no limit."""
    for key in keys:
        text = text_of(config, key)
        if text is not None and text.isdecimal():
            return int(text) if int(text) < _NO_LIMIT_S else 0
    return 0


def _has(config: Config, key: str, word: str) -> bool:
    texts = [text for name, text in config.slurm.items() if name.lower() == key.lower()]
    return any(word in text for text in (*texts, config.scheduler_parameters or ""))


def _slurm_user_id(config: Config) -> int:
    """SlurmUser; where that is root, or nobody here, the user that runs this process and its node daemons."""
    return users.uid_of(config.slurm_user) or os.geteuid()


def node_of(node: NodeConfig, index: int, now_s: int) -> Node:
    """A node as the core has it before it registers."""
    state, flags = _node_state(node.state)
    reason = node.reason if state is NodeState.DOWN or flags else None
    return Node(
        name=node.name,
        index=index,
        hostname=node.hostname or node.name,
        address=node.address or node.hostname or node.name,
        port=node.port,
        cpus=node.cpus,
        boards=node.boards,
        sockets=node.sockets,
        cores_per_socket=node.cores_per_socket,
        threads_per_core=node.threads_per_core,
        real_memory_mib=node.real_memory_mib,
        tmp_disk_mib=node.tmp_disk_mib,
        weight=node.weight,
        features=node.features,
        gres=node.gres,
        state=state,
        flags=flags,
        reason=reason,
    )


def _node_state(text: str) -> tuple[NodeState, NodeFlag]:
    """The state of a node before it registers (slurm.conf(5), State of a node); any other word counts as UNKNOWN."""
    match text.upper():
        case "DOWN":
            return NodeState.DOWN, NodeFlag.NONE
        case "DRAIN":
            return NodeState.UNKNOWN, NodeFlag.DRAIN
        case "FAIL":
            return NodeState.UNKNOWN, NodeFlag.FAIL
        case "FUTURE":
            return NodeState.FUTURE, NodeFlag.NONE
    return NodeState.UNKNOWN, NodeFlag.NONE


def _partition(partition: PartitionConfig) -> Partition:
    word = partition.over_subscribe.partition(":")[0].upper()
    same: dict[str, Any] = {
        name: getattr(partition, name)
        for name in (
            "name", "min_nodes", "priority_tier", "priority_job_factor", "exclusive_user", "hidden", "root_only",
            "disable_root_jobs", "preempt_mode", "qos", "alternate", "max_jobs_per_user", "features_required",
            "dynamic_features",
        )
    }  # fmt: skip
    return Partition(
        nodes="ALL" if partition.all_nodes else fold(partition.nodes),
        state=PartitionState[partition.state.upper()],
        is_default=partition.default,
        max_time_min=_unlimited(partition.max_time),
        default_time_min=partition.default_time,
        max_nodes=_unlimited(partition.max_nodes),
        default_memory_per_cpu_mib=partition.def_mem_per_cpu,
        default_memory_per_node_mib=partition.def_mem_per_node,
        max_memory_per_cpu_mib=partition.max_mem_per_cpu,
        max_memory_per_node_mib=partition.max_mem_per_node,
        max_cpus_per_node=_unlimited(partition.max_cpus_per_node),
        over_subscribe=word,
        max_share=partition.max_share & 0x7FFF,
        requires_reservation=partition.req_resv,
        least_loaded=partition.lln,
        grace_time_s=partition.grace_time,
        over_time_limit_min=partition.over_time_limit,
        allow_accounts=_joined(partition.allow_accounts),
        deny_accounts=_joined(partition.deny_accounts),
        allow_groups=_joined(partition.allow_groups),
        allow_qos=_joined(partition.allow_qos),
        deny_qos=_joined(partition.deny_qos),
        allow_alloc_nodes=_joined(partition.alloc_nodes),
        billing_weights=partition.tres_billing_weights,
        **same,
    )


def _unlimited(value: int | None) -> int:
    return UNLIMITED if value is None else value


def _joined(names: tuple[str, ...] | None) -> str | None:
    return ",".join(names) if names else None
