"""A job as site hooks see it: fields by the names that Slurm documents for job_submit, to be read and written.

`JobView` is a job description on its way in; `fields_of` reads records (partitions, jobs) by the same kind of names.
What hooks are, when they run and what bounds them: actors.net.job_submit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from flurm.bridge import users
from flurm.bridge.context import Context
from flurm.bridge.rights import may_use_by_group
from flurm.bridge.show_jobs import job_info
from flurm.bridge.show_partitions import partition_info
from flurm.core.job_records import Job
from protocol import constants
from protocol.constants import ALLOC_SID_ADMIN_HOLD, ALLOC_SID_USER_HOLD, MEM_PER_CPU, NO_VAL, NO_VAL64, PartitionFlag
from protocol.errno import Errno
from protocol.messages import JobDescription

__all__ = ["CONSTANTS", "JobView", "Refused", "Verdict", "job_fields", "partitions_for"]

SUCCESS = 0
ERROR = -1
_TOP = 1 << 64

CONSTANTS: dict[str, int] = {
    name: int(getattr(constants, name))
    for name in (
        "INFINITE", "INFINITE64", "MEM_PER_CPU", "NICE_OFFSET", "NO_VAL", "NO_VAL16", "NO_VAL64", "NO_VAL8",
        "SHARED_FORCE",
    )
    if hasattr(constants, name)
}  # fmt: skip
CONSTANTS |= {
    "SUCCESS": SUCCESS, "ERROR": ERROR, "FAILURE": ERROR,
    "ALLOC_SID_ADMIN_HOLD": int(ALLOC_SID_ADMIN_HOLD), "ALLOC_SID_USER_HOLD": int(ALLOC_SID_USER_HOLD),
    "JOB_SHARED_NONE": 0, "JOB_SHARED_OK": 1, "JOB_SHARED_USER": 2, "JOB_SHARED_MCS": 3,
}  # fmt: skip
CONSTANTS |= {
    f"{prefix}{flag.name}": int(flag)
    for kind, prefix, names in (
        (constants.JobFlag, "", ("KILL_INV_DEP", "NO_KILL_INV_DEP", "SPREAD_JOB", "USE_MIN_NODES",
                                 "GRES_DISABLE_BIND", "GRES_ENFORCE_BIND")),
    )
    for flag in kind
    if flag.name in names
}  # fmt: skip
CONSTANTS |= {f"MAIL_{flag.name}": int(flag) for flag in constants.MailFlag}
CONSTANTS |= {code.name: int(code) for code in Errno if code.name.startswith("ESLURM_")}


class Refused(Exception):
    """Raised by a Python hook: the request is turned down with this number and this text for its user."""

    def __init__(self, code: int | str = ERROR, message: str = "") -> None:
        text = code if isinstance(code, str) else message
        super().__init__(text)
        self.code, self.message = ERROR if isinstance(code, str) else int(code), text


class Verdict(msgspec.Struct):
    """What hooks say of a request: a number that refuses it (0 lets it pass), and lines for its user."""

    code: int = 0
    message: str | None = None


_DEFAULTS = JobDescription()
_ALIASES = {"gres": "tres_per_node", "min_cpus_per_node": "pn_min_cpus"}
_COUNTS = {"argc": "argv", "env_size": "environment", "spank_job_env_size": "spank_job_env"}
_READ_ONLY = frozenset({"user_id", "user_name", "group_id", "alloc_sid", "argc", "env_size", "spank_job_env_size"})


class JobView:
    """A job description by Slurm's names. Reading a name that there is not gives None; writing it raises KeyError."""

    def __init__(self, record: JobDescription, context: Context) -> None:
        self._record, self._context = record, context

    def get(self, name: str) -> Any:
        """The value of a field; NO_VAL and its kin, or None, where the user gave none."""
        record = self._record
        match name:
            case "user_id":
                return self._context.uid if record.user_id in (99, NO_VAL) else record.user_id
            case "group_id":
                return self._context.gid if record.group_id in (99, NO_VAL) else record.group_id
            case "user_name":
                return users.user_name(self.get("user_id"))
            case "min_mem_per_cpu" | "min_mem_per_node":
                value = record.pn_min_memory
                if value == NO_VAL64 or bool(value & MEM_PER_CPU) != (name == "min_mem_per_cpu"):
                    return None
                return value & ~MEM_PER_CPU
            case "environment":
                return {k: v for k, _, v in (each.partition("=") for each in record.environment if each)}
        if name in _COUNTS:
            return len(getattr(record, _COUNTS[name]))
        found = getattr(record, _ALIASES.get(name, name), None)
        return found if isinstance(found, int | str | list) else None

    def set(self, name: str, value: Any) -> None:
        """Change a field. Raises KeyError for a name that there is not, or is not to be changed; ValueError, TypeError
        for a value of another kind."""
        record, field = self._record, _ALIASES.get(name, name)
        match name:
            case "min_mem_per_cpu":
                record.pn_min_memory = NO_VAL64 if value is None else int(value) | MEM_PER_CPU
                return
            case "min_mem_per_node":
                record.pn_min_memory = NO_VAL64 if value is None else int(value)
                return
            case "environment":
                record.environment = [f"{key}={text}" for key, text in dict(value).items()]
                return
        if name in _READ_ONLY or field not in JobDescription.__struct_fields__:
            raise KeyError(name)
        usual = getattr(_DEFAULTS, field)
        if isinstance(usual, int):
            number: int = usual if value is None else int(value)
            setattr(record, field, min(number, NO_VAL64) if number >= _TOP - 4096 else number)
        elif usual is None:
            setattr(record, field, None if value is None else str(value))
        else:
            raise KeyError(name)

    def set_environment(self, name: str, value: str | None) -> None:
        """Set one variable of the job's environment, or take it away."""
        self.set("environment", {k: v for k, v in self.get("environment").items() if k != name} | (
            {} if value is None else {name: value}
        ))  # fmt: skip

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self.get(name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            object.__setattr__(self, name, value)
        else:
            self.set(name, value)


def partitions_for(context: Context, user_id: int) -> dict[str, dict[str, Any]]:
    """The partitions that the user's groups let him use, by name, each with its fields."""
    found = {}
    for partition in context.cluster.partitions.values():
        if may_use_by_group(partition, context.cluster, user_id):
            fields = _plain(partition_info(context.cluster, partition))
            fields["flag_default"] = int(bool(fields["flags"] & PartitionFlag.DEFAULT))
            found[partition.name] = fields
    return found


def job_fields(context: Context, job: Job) -> dict[str, Any]:
    """An existing job, by Slurm's names."""
    return _plain(job_info(context.cluster, job, context.version, 0, users.user_name))


def jobs_of(context: Context) -> Iterator[tuple[int, dict[str, Any]]]:
    """All jobs, by id."""
    return ((job_id, job_fields(context, job)) for job_id, job in context.cluster.jobs.items())


def _plain(record: Any) -> dict[str, Any]:
    values = ((name, getattr(record, name)) for name in record.__struct_fields__)
    return {name: value for name, value in values if isinstance(value, int | float | str)}
