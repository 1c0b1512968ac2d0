"""The environment of a batch script, as slurmstepd makes it.

What the user submitted (already completed by the submitting program and the controller) comes first; what the node
knows is set on top. Variables that only carry the submitter's limits to the node (`SLURM_RLIMIT_*`, `SLURM_UMASK`) are
taken out and applied. What slurmd 22.05 was seen to add, recorded in tests/data/node, is the reference here.

Set by the submitting program: SLURM_SUBMIT_DIR, SLURM_SUBMIT_HOST, SLURM_JOB_NAME, SLURM_PRIO_PROCESS, SLURM_NTASKS,
SLURM_NPROCS, SLURM_CPUS_PER_TASK, SLURM_NTASKS_PER_NODE, SLURM_DISTRIBUTION, SLURM_EXPORT_ENV, SLURM_GET_USER_ENV,
SLURM_OPEN_MODE. Set by the controller: SLURM_ARRAY_TASK_COUNT, _MIN, _MAX, _STEP. All else is set here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from flurm.node.spec import MEM_PER_CPU, NO_VAL, LaunchSpec

_CARRIERS = ("SLURM_RLIMIT_",)


class Submitted(msgspec.Struct, frozen=True):
    """What a job's environment list says: variables, soft limits by name ('NOFILE'), umask, login wanted."""

    variables: dict[str, str]
    limits: dict[str, int]
    umask: int | None
    wants_login: bool


def read_submitted(environment: Iterable[str]) -> Submitted:
    """Sorts a list of 'NAME=value' into variables and what they only carry; text without '=' is dropped."""
    variables: dict[str, str] = {}
    for item in environment:
        name, equals, value = item.partition("=")
        if equals and name:
            variables[name] = value
    limits = {
        name.removeprefix("SLURM_RLIMIT_"): int(value)
        for name, value in variables.items()
        if name.startswith("SLURM_RLIMIT_") and value.isdigit()
    }
    text = variables.pop("SLURM_UMASK", "")
    umask = int(text, 8) if text and all(digit in "01234567" for digit in text) else None
    kept = {name: value for name, value in variables.items() if not name.startswith(_CARRIERS)}
    return Submitted(kept, limits, umask, "SLURM_GET_USER_ENV" in kept)


def batch_variables(
    spec: LaunchSpec, node_name: str, working_cluster: str = "", slurm_conf: str = ""
) -> dict[str, str]:
    """The variables that the node sets for a batch script, all but SLURM_TASK_PID, which its process sets itself.

    `working_cluster` is Slurm's name:host:port:version:plugin of the controller, `slurm_conf` the path of the file that
    the node daemon has; what is empty is left out.
    """
    cpus = expand_counts(spec.cpus_per_node, spec.cpu_count_reps)
    tasks = tasks_per_node(spec, cpus)
    on_node = cpus[spec.node_id] if spec.node_id < len(cpus) else 1
    variables = {
        "ENVIRONMENT": "BATCH",
        "HOSTNAME": node_name,
        "SLURMD_NODENAME": node_name,
        "SLURM_CLUSTER_NAME": spec.cluster_name,
        "SLURM_CPUS_ON_NODE": str(on_node),
        "SLURM_GTIDS": "0",
        "SLURM_JOBID": str(spec.job_id),
        "SLURM_JOB_CPUS_PER_NODE": compress_counts(cpus),
        "SLURM_JOB_GID": str(spec.gid),
        "SLURM_JOB_ID": str(spec.job_id),
        "SLURM_JOB_NAME": spec.job_name,
        "SLURM_JOB_NODELIST": spec.node_list,
        "SLURM_JOB_NUM_NODES": str(len(cpus)),
        "SLURM_JOB_PARTITION": spec.partition,
        "SLURM_JOB_UID": str(spec.uid),
        "SLURM_JOB_USER": spec.user_name,
        "SLURM_LOCALID": "0",
        "SLURM_NNODES": str(len(cpus)),
        "SLURM_NODEID": str(spec.node_id),
        "SLURM_NODELIST": spec.node_list,
        "SLURM_NODE_ALIASES": "(null)",
        "SLURM_PROCID": "0",
        "SLURM_TASKS_PER_NODE": compress_counts(tasks),
        "SLURM_TOPOLOGY_ADDR": node_name,
        "SLURM_TOPOLOGY_ADDR_PATTERN": "node",
    }
    optional = {
        "SLURM_CONF": slurm_conf,
        "SLURM_JOB_ACCOUNT": spec.account,
        "SLURM_JOB_END_TIME": str(spec.end_s or ""),
        "SLURM_JOB_QOS": spec.qos,
        "SLURM_JOB_RESERVATION": spec.reservation,
        "SLURM_JOB_START_TIME": str(spec.start_s or ""),
        "SLURM_OVERCOMMIT": "1" if spec.overcommit else "",
        "SLURM_RESTART_COUNT": str(spec.restart_count) if spec.restart_count else "",
        "SLURM_WORKING_CLUSTER": working_cluster,
    }
    if spec.is_array_task:
        optional["SLURM_ARRAY_JOB_ID"] = str(spec.array_job_id)
        optional["SLURM_ARRAY_TASK_ID"] = str(spec.array_task_id)
    if spec.mem_request & MEM_PER_CPU:
        optional["SLURM_MEM_PER_CPU"] = str(spec.mem_request & ~MEM_PER_CPU)
    elif spec.mem_request:
        optional["SLURM_MEM_PER_NODE"] = str(spec.mem_request)
    return variables | {name: value for name, value in optional.items() if value}


def batch_environment(
    spec: LaunchSpec, node_name: str, working_cluster: str = "", slurm_conf: str = ""
) -> dict[str, str]:
    """The whole environment of a batch script (without a login environment and without SLURM_TASK_PID)."""
    environment = read_submitted(spec.environment).variables
    variables = batch_variables(spec, node_name, working_cluster, slurm_conf)
    if "SLURM_JOB_NAME" in environment and not spec.job_name:
        del variables["SLURM_JOB_NAME"]
    environment.update((name, value) for name, value in variables.items() if value)
    environment.setdefault("TMPDIR", "/tmp")
    return environment


def tasks_per_node(spec: LaunchSpec, cpus: Sequence[int]) -> list[int]:
    """How many tasks each node gets: one after the other in turns while there is room; all CPUs when none are asked."""
    per_task = max(1, spec.cpus_per_task)
    room = [max(1, count // per_task) for count in cpus]
    if spec.ntasks in (0, NO_VAL):
        return room
    return _in_turns(spec.ntasks, room)


def expand_counts(values: Sequence[int], repetitions: Sequence[int]) -> list[int]:
    """(3, 1), (2, 1) -> [3, 3, 1]."""
    return [value for value, count in zip(values, repetitions, strict=True) for _ in range(count)]


def compress_counts(counts: Sequence[int]) -> str:
    """[3, 3, 1] -> '3(x2),1'."""
    groups: list[list[int]] = []
    for count in counts:
        if groups and groups[-1][0] == count:
            groups[-1][1] += 1
        else:
            groups.append([count, 1])
    return ",".join(f"{value}(x{times})" if times > 1 else str(value) for value, times in groups)


def _in_turns(ntasks: int, room: Sequence[int]) -> list[int]:
    tasks, left = [0] * len(room), ntasks
    while left and any(tasks[index] < available for index, available in enumerate(room)):
        for index, available in enumerate(room):
            if left and tasks[index] < available:
                tasks[index] += 1
                left -= 1
    return _spread(tasks, left)


def _spread(tasks: list[int], left: int) -> list[int]:
    for index in range(left):
        tasks[index % len(tasks)] += 1
    return tasks
