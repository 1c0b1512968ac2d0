"""`scontrol update`: words `name=value` become a change to a job, a node or a partition.

The first word decides what is changed. Names may be shortened and written in any case, as in Slurm.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from flurm.client.errors import CommandError
from flurm.client.sbatch_request import parse_memory
from flurm.client.times import parse_minutes, parse_moment
from protocol.constants import (
    MEM_PER_CPU,
    NICE_OFFSET,
    SELECT_CONS_TRES,
    JobFlag,
    NodeState,
    NodeStateFlag,
    PartitionFlag,
    PartitionState,
)
from protocol.messages import JobDescription, NodeUpdate, PartitionUpdate
from protocol.schema import Record

__all__ = ["Change", "job_change", "node_change", "partition_change", "understand"]

Pairs = list[tuple[str, str]]


class Change:
    """What is asked for: the record, and for a job how its time limit moves where it was given as `+5`."""

    def __init__(self, record: Record, time_shift: int = 0) -> None:
        self.record, self.time_shift = record, time_shift


def understand(words: Sequence[str], now_s: float) -> Change:
    """The change that the words of an update mean. Raises CommandError with what scontrol says."""
    pairs = _pairs(words)
    first = pairs[0][0].lower() if pairs else ""
    if first in ("jobid", "job", "jobname", "stepid") or (first and "jobid".startswith(first)):
        return job_change(pairs, now_s)
    if first and "nodename".startswith(first):
        return Change(node_change(pairs))
    if first and "partitionname".startswith(first):
        return Change(partition_change(pairs))
    raise CommandError(
        "No valid entity in update command\n"
        'Input line must include "NodeName", "PartitionName", "Reservation", "JobId", or "SlurmctldDebug"'
    )


def _pairs(words: Sequence[str]) -> Pairs:
    """`name=value` words; `job 17` stands for `job=17`, and `+=` and `-=` keep their sign with the value."""
    pairs: Pairs = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if not equals and rest and "=" not in rest[0]:
            value = rest.pop(0)
        if name[-1:] in ("+", "-"):
            name, value = name[:-1], name[-1] + value
        pairs.append((name, value))
    return pairs


def _unsupported(name: str, value: str) -> CommandError:
    return CommandError(f"Update of this parameter is not supported: {name}={value}\nRequest aborted")


def _find(name: str, table: dict[str, Any]) -> Any:
    lowered = name.lower()
    if lowered in table:
        return table[lowered]
    matching = [key for key in table if key.startswith(lowered)]
    return table[matching[0]] if matching and len(lowered) > 2 else None


def _number(name: str, value: str) -> int:
    if not re.fullmatch(r"-?\d+", value):
        raise CommandError(f"scontrol: error: Invalid {name} value: {value}")
    return int(value)


Setter = Callable[[Any, str], None]


def _text(field: str) -> Setter:
    return lambda record, value: setattr(record, field, value)


def _integer(field: str, name: str) -> Setter:
    return lambda record, value: setattr(record, field, _number(name, value))


def _memory(flag: int) -> Setter:
    def put(job: JobDescription, value: str) -> None:
        mib = parse_memory(value)
        if mib is None:
            raise CommandError(f"scontrol: error: Invalid memory value: {value}")
        job.pn_min_memory = mib | flag

    return put


def _nodes(job: JobDescription, value: str) -> None:
    least, dash, most = value.partition("-")
    if not least.isdigit() or (dash and not most.isdigit()):
        raise CommandError(f"scontrol: error: Invalid NumNodes value: {value}")
    job.min_nodes = int(least)
    if dash:
        job.max_nodes = int(most)


def _cpus(job: JobDescription, value: str) -> None:
    least, dash, most = value.partition("-")
    job.min_cpus = _number("NumCPUs", least)
    if dash:
        job.max_cpus = _number("NumCPUs", most)


def _share(job: JobDescription, value: str) -> None:
    job.shared = {"yes": 1, "ok": 1, "no": 0}.get(value.lower(), 0)


def _yes(field: str) -> Setter:
    return lambda record, value: setattr(record, field, int(value.lower() in ("yes", "1")))


_JOB: dict[str, Setter] = {
    "account": _text("account"),
    "admincomment": _text("admin_comment"),
    "arraytaskthrottle": lambda job, value: setattr(job, "array_inx", str(_number("ArrayTaskThrottle", value))),
    "burstbuffer": _text("burst_buffer"),
    "clusterfeatures": _text("cluster_features"),
    "comment": _text("comment"),
    "contiguous": _yes("contiguous"),
    "dependency": _text("dependency"),
    "excnodelist": _text("exc_nodes"),
    "features": _text("features"),
    "gres": lambda job, value: setattr(job, "tres_per_node", f"gres:{value}" if value else ""),
    "jobname": _text("name"),
    "licenses": _text("licenses"),
    "mailtype": lambda job, value: None,
    "mailuser": _text("mail_user"),
    "mincpusnode": _integer("pn_min_cpus", "MinCPUsNode"),
    "minmemorycpu": _memory(MEM_PER_CPU),
    "minmemorynode": _memory(0),
    "mintmpdisknode": _integer("pn_min_tmp_disk", "MinTmpDiskNode"),
    "name": _text("name"),
    "nice": lambda job, value: setattr(job, "nice", NICE_OFFSET + (_number("Nice", value) if value else 100)),
    "nodelist": _text("req_nodes"),
    "numcpus": _cpus,
    "numnodes": _nodes,
    "numtasks": _integer("num_tasks", "NumTasks"),
    "oversubscribe": _share,
    "partition": _text("partition"),
    "prefer": _text("prefer"),
    "priority": lambda job, value: setattr(job, "priority", _number("Priority", value)),
    "qos": _text("qos"),
    "reqnodelist": _text("req_nodes"),
    "reqnodes": _nodes,
    "requeue": _integer("requeue", "Requeue"),
    "reservationname": _text("reservation"),
    "shared": _share,
    "stderr": _text("std_err"),
    "stdin": _text("std_in"),
    "stdout": _text("std_out"),
    "userid": lambda job, value: None,
    "wckey": _text("wckey"),
    "workdir": _text("work_dir"),
}


def _update_flags() -> int:
    return int(
        JobFlag.USE_DEFAULT_ACCT | JobFlag.USE_DEFAULT_PART | JobFlag.USE_DEFAULT_QOS | JobFlag.USE_DEFAULT_WCKEY
    )


def empty_job_change(job_id: str) -> JobDescription:
    """An update of a job that changes nothing yet."""
    return JobDescription(job_id_str=job_id, select_jobinfo=SELECT_CONS_TRES, bitflags=_update_flags())


def job_change(pairs: Pairs, now_s: float) -> Change:
    """A change to a job."""
    change = Change(empty_job_change(pairs[0][1]))
    for name, value in pairs[1:]:
        lowered = name.lower()
        if lowered in ("starttime", "eligibletime"):
            change.record.begin_time = _moment(name, value, now_s)  # type: ignore[attr-defined]
        elif lowered == "deadline":
            change.record.deadline = _moment(name, value, now_s)  # type: ignore[attr-defined]
        elif lowered in ("timelimit", "timemin") or ("timelimit".startswith(lowered) and len(lowered) > 4):
            _set_time(change, "time_min" if lowered == "timemin" else "time_limit", name, value)
        else:
            setter = _find(name, _JOB)
            if setter is None:
                raise _unsupported(name, value)
            setter(change.record, value)
    if len(pairs) < 2:
        raise CommandError("No changes specified")
    return change


def _moment(name: str, value: str, now_s: float) -> int:
    try:
        return parse_moment(value, now_s)
    except (ValueError, OverflowError):
        raise CommandError(f"scontrol: error: Invalid {name} value") from None


def _set_time(change: Change, field: str, name: str, value: str) -> None:
    sign = value[:1] if value[:1] in ("+", "-") and value != "-1" else ""
    try:
        minutes = parse_minutes(value.lstrip("+-") if sign else value)
    except ValueError:
        label = "TimeMin" if field == "time_min" else "TimeLimit"
        raise CommandError(f"scontrol: error: Invalid {label} value") from None
    if sign:
        change.time_shift = -minutes if sign == "-" else minutes
    else:
        setattr(change.record, field, minutes)


_NODE_STATES = {
    "noresp": int(NodeStateFlag.NO_RESPOND),
    "cancel_reboot": int(NodeStateFlag.REBOOT_CANCEL),
    "down": int(NodeState.DOWN),
    "drain": int(NodeStateFlag.DRAIN),
    "fail": int(NodeStateFlag.FAIL),
    "future": int(NodeState.FUTURE),
    "idle": int(NodeState.IDLE),
    "power_down": int(NodeStateFlag.POWER_DOWN),
    "power_up": int(NodeStateFlag.POWER_UP),
    "resume": int(NodeStateFlag.RESUME),
    "undrain": int(NodeStateFlag.UNDRAIN),
}
_NODE: dict[str, Setter] = {
    "activefeatures": _text("features_act"),
    "availablefeatures": _text("features"),
    "comment": _text("comment"),
    "extra": _text("extra"),
    "features": _text("features"),
    "gres": _text("gres"),
    "nodeaddr": _text("node_addr"),
    "nodehostname": _text("node_hostname"),
    "reason": _text("reason"),
    "weight": _integer("weight", "Weight"),
}
_NEED_REASON = (NodeState.DOWN, NodeStateFlag.DRAIN, NodeStateFlag.FAIL)


def node_change(pairs: Pairs) -> NodeUpdate:
    """A change to nodes."""
    record = NodeUpdate(node_names=pairs[0][1])
    for name, value in pairs[1:]:
        if "state".startswith(name.lower()):
            record.node_state = _node_state(name, value)
            continue
        setter = _find(name, _NODE)
        if setter is None:
            raise _unsupported(name, value)
        setter(record, value.strip("\"'"))
    if len(pairs) < 2:
        raise CommandError("No changes specified")
    if record.node_state in _NEED_REASON and not record.reason:
        raise CommandError("You must specify a reason when DOWNING or DRAINING a node. Request denied")
    return record


def _node_state(name: str, value: str) -> int:
    lowered = value.lower()
    found = _NODE_STATES.get(lowered)
    if found is None:
        matching = [state for word, state in _NODE_STATES.items() if word.startswith(lowered) and len(lowered) > 2]
        if not matching:
            raise CommandError(
                f"Invalid input: {name}={value}\nRequest aborted\n"
                "Valid states are: NoResp DRAIN FAIL FUTURE RESUME POWER_DOWN POWER_UP UNDRAIN\n"
                "Not all states are valid given a node's prior state"
            )
        found = matching[0]
    return found


def _minutes(field: str) -> Setter:
    def put(part: PartitionUpdate, value: str) -> None:
        try:
            setattr(part, field, parse_minutes(value))
        except ValueError:
            raise CommandError(f"scontrol: error: Invalid input: {value}") from None

    return put


def _part_flag(on: PartitionFlag, off: PartitionFlag) -> Setter:
    def put(part: PartitionUpdate, value: str) -> None:
        part.flags |= int(on if value.lower() in ("yes", "true", "1") else off)

    return put


def _limit(field: str, name: str) -> Setter:
    def put(part: PartitionUpdate, value: str) -> None:
        endless = value.lower() in ("unlimited", "infinite")
        setattr(part, field, 0xFFFFFFFF if endless else _number(name, value))

    return put


def _part_memory(field: str, flag: int) -> Setter:
    def put(part: PartitionUpdate, value: str) -> None:
        setattr(part, field, 0 if value.lower() == "unlimited" else _number("memory", value) | flag)

    return put


_PARTITION: dict[str, Setter] = {
    "allocnodes": _text("allow_alloc_nodes"),
    "allowaccounts": _text("allow_accounts"),
    "allowgroups": _text("allow_groups"),
    "allowqos": _text("allow_qos"),
    "alternate": _text("alternate"),
    "default": _part_flag(PartitionFlag.DEFAULT, PartitionFlag.DEFAULT_CLR),
    "defaulttime": _minutes("default_time"),
    "defmempercpu": _part_memory("def_mem_per_cpu", MEM_PER_CPU),
    "defmempernode": _part_memory("def_mem_per_cpu", 0),
    "denyaccounts": _text("deny_accounts"),
    "denyqos": _text("deny_qos"),
    "disablerootjobs": _part_flag(PartitionFlag.NO_ROOT, PartitionFlag.NO_ROOT_CLR),
    "exclusiveuser": _part_flag(PartitionFlag.EXCLUSIVE_USER, PartitionFlag.EXC_USER_CLR),
    "gracetime": _integer("grace_time", "GraceTime"),
    "hidden": _part_flag(PartitionFlag.HIDDEN, PartitionFlag.HIDDEN_CLR),
    "lln": _part_flag(PartitionFlag.LLN, PartitionFlag.LLN_CLR),
    "maxcpuspernode": _limit("max_cpus_per_node", "MaxCPUsPerNode"),
    "maxmempercpu": _part_memory("max_mem_per_cpu", MEM_PER_CPU),
    "maxmempernode": _part_memory("max_mem_per_cpu", 0),
    "maxnodes": _limit("max_nodes", "MaxNodes"),
    "maxtime": _minutes("max_time"),
    "minnodes": _limit("min_nodes", "MinNodes"),
    "nodes": _text("nodes"),
    "priorityjobfactor": _integer("priority_job_factor", "PriorityJobFactor"),
    "prioritytier": _integer("priority_tier", "PriorityTier"),
    "qos": _text("qos_char"),
    "reqresv": _part_flag(PartitionFlag.REQ_RESV, PartitionFlag.REQ_RESV_CLR),
    "rootonly": _part_flag(PartitionFlag.ROOT_ONLY, PartitionFlag.ROOT_ONLY_CLR),
    "tresbillingweights": _text("billing_weights_str"),
}


def partition_change(pairs: Pairs) -> PartitionUpdate:
    """A change to a partition."""
    record = PartitionUpdate(name=pairs[0][1])
    for name, value in pairs[1:]:
        if name.lower() == "state":
            if value.upper() not in PartitionState.__members__:
                raise CommandError(
                    f"scontrol: error: Invalid input: {name}={value}\n"
                    "scontrol: error: Acceptable State values are UP, DOWN, DRAIN and INACTIVE\n"
                    "slurm_update error: No error"
                )
            record.state_up = int(PartitionState[value.upper()])
            continue
        setter = _find(name, _PARTITION)
        if setter is None:
            raise _unsupported(name, value)
        setter(record, value)
    if len(pairs) < 2:
        raise CommandError("No changes specified")
    return record
