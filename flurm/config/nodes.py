"""Builds the records of nodes and partitions from the values that a file gave, with Slurm's rules for what is left out.

Both files come here with the same shape: attribute -> parsed value. Names are expanded before, so that each call
makes exactly one record.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from flurm.config.machine import Machine
from flurm.config.records import Config, NodeConfig, PartitionConfig, SlurmdConfig


def node(name: str, given: Mapping[str, Any], port: int, warnings: list[str]) -> NodeConfig:
    """Return the node called name; processors that do not add up are put right with a warning, or refused.

    Raises ValueError with what would be right.
    """
    values = dict(given)
    boards = int(values.get("boards", 1))
    per_board = values.pop("sockets_per_board", None)
    if per_board is not None:
        values["sockets"] = boards * per_board
    values |= _processors(name, values, warnings)
    values.setdefault("hostname", name)
    values.setdefault("address", values["hostname"])
    values.setdefault("port", port)
    return NodeConfig(name=name, **values)


def _processors(name: str, given: Mapping[str, Any], warnings: list[str]) -> dict[str, int]:
    cores, threads = int(given.get("cores_per_socket", 1)), int(given.get("threads_per_core", 1))
    cpus, sockets = given.get("cpus"), given.get("sockets")
    if sockets is None:
        sockets = max(int(cpus or 0) // (cores * threads), 1)
    found_cores = int(sockets) * cores
    total = found_cores * threads
    if cpus not in (None, found_cores, total):
        if cpus == sockets:
            raise ValueError(f"expected cpus to be {found_cores} (cores) or {total} (threads) of this node")
        warnings.append(
            f"node {name}: {cpus} cpus match neither its {found_cores} cores nor {total} threads; using {total}"
        )
        cpus = total
    return {
        "cpus": int(cpus or total),
        "sockets": int(sockets),
        "cores_per_socket": cores,
        "threads_per_core": threads,
    }


def local_node(machine: Machine, slurmd: SlurmdConfig, warnings: list[str]) -> NodeConfig:
    """Return this host as a node: its hardware, with what [flurm.slurmd] says laid over it."""
    shape = {
        "cpus": slurmd.cpus,
        "sockets": slurmd.sockets,
        "cores_per_socket": slurmd.cores_per_socket,
        "threads_per_core": slurmd.threads_per_core,
    }
    given: dict[str, Any] = {key: value for key, value in shape.items() if value is not None}
    if not given:
        given = {key: getattr(machine, key) for key in shape}
    memory = machine.memory_mib if slurmd.memory is None else slurmd.memory
    given |= {"boards": slurmd.boards or 1, "real_memory_mib": memory}
    given |= {"tmp_disk_mib": machine.tmp_disk_mib if slurmd.tmp_disk is None else slurmd.tmp_disk}
    given |= {"features": slurmd.features, "gres": slurmd.gres, "weight": slurmd.weight}
    given |= {"hostname": machine.hostname, "address": "127.0.0.1"}
    return node(slurmd.node_name, given, slurmd.slurmd_port, warnings)


def only_partition(config: Config) -> PartitionConfig:
    """Return the partition of a cluster that configures none: every node, the cluster's time limits.

    It is called debug because Slurm's sample configuration calls it so: what people copy from tutorials then runs.
    """
    return PartitionConfig(
        name="debug",
        nodes=tuple(each.name for each in config.nodes),
        all_nodes=True,
        default=True,
        default_time=config.default_time_limit,
        max_time=config.max_time_limit,
    )


def shared_memory_per_cpu(nodes: Sequence[NodeConfig]) -> int | None:
    """Return the memory per CPU, in MiB, that lets every CPU of the poorest node run a job; None without nodes."""
    return min((max(each.real_memory_mib // each.cpus, 1) for each in nodes), default=None)
