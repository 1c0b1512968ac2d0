"""A site's programs around a job, as slurm.conf names them: which, when, with what environment. Nothing is run here.

`programs_of` reads the keys, `matching` finds what a pattern means on this node, `prolog_environment` and
`epilog_environment` make what slurmd 22.05 was seen to make (tests/data/node/program_environments.json): no variable of
the daemon's own, not even PATH, reaches Prolog, Epilog or HealthCheckProgram.
"""

from __future__ import annotations

import glob
from collections.abc import Mapping
from pathlib import Path

import msgspec

from flurm.node.environment import compress_counts, expand_counts

__all__ = [
    "JobFacts",
    "NoSuchProgram",
    "Programs",
    "epilog_environment",
    "health_environment",
    "matching",
    "programs_of",
    "prolog_environment",
]

_UNSET = ("", "none", "(null)")
_UNLIMITED = frozenset({"65534", "infinite", "unlimited", "-1"})
HEALTH_CHECK_TIMEOUT_S = 60.0
USUAL_UNKILLABLE_S = 60.0


class NoSuchProgram(Exception):
    """A path or pattern of slurm.conf means nothing on this node."""


class Programs(msgspec.Struct, frozen=True, kw_only=True):
    """What slurm.conf says. Empty: no such program. Times in seconds, None: as long as it takes.

    `serial`: one prolog or epilog at a time. `holds`: a job whose prolog failed is held when it goes back to the queue.
    """

    slurm_conf: str = ""
    prolog: tuple[str, ...] = ()
    epilog: tuple[str, ...] = ()
    task_prolog: str = ""
    task_epilog: str = ""
    health_check: str = ""
    reboot: str = ""
    unkillable: str = ""
    prolog_timeout_s: float | None = None
    epilog_timeout_s: float | None = None
    health_check_timeout_s: float = HEALTH_CHECK_TIMEOUT_S
    unkillable_s: float = USUAL_UNKILLABLE_S
    serial: bool = False
    holds: bool = True


class JobFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a prolog or an epilog is told of a job. `cpus_per_node` is run-length coded; empty text: not told."""

    job_id: int
    uid: int
    gid: int
    user_name: str = ""
    partition: str = ""
    node_list: str = ""
    node_count: int = 1
    cpus_per_node: tuple[int, ...] = ()
    cpu_count_reps: tuple[int, ...] = ()
    restart_count: int = 0
    work_dir: str = ""
    account: str = ""
    comment: str = ""
    constraints: str = ""
    extra: str = ""
    licenses: str = ""
    reservation: str = ""
    std_in: str = ""
    std_out: str = ""
    std_err: str = ""
    start_s: int = 0
    end_s: int = 0


def programs_of(slurm: Mapping[str, str], slurm_conf: str | None = None) -> Programs:
    """Read the keys of a slurm.conf; `slurm_conf` is its path. PrologTimeout and EpilogTimeout (24.11 and newer) count
    before PrologEpilogTimeout."""
    flags = _words(slurm.get("PrologFlags", ""))
    both = slurm.get("PrologEpilogTimeout")
    scheduler = _words(slurm.get("SchedulerParameters", ""))
    return Programs(
        slurm_conf=slurm_conf or "",
        prolog=_several(slurm.get("Prolog", ""), slurm_conf),
        epilog=_several(slurm.get("Epilog", ""), slurm_conf),
        task_prolog=_single(slurm.get("TaskProlog", "")),
        task_epilog=_single(slurm.get("TaskEpilog", "")),
        health_check=_single(slurm.get("HealthCheckProgram", "")),
        reboot=_single(slurm.get("RebootProgram", "")),
        unkillable=_single(slurm.get("UnkillableStepProgram", "")),
        prolog_timeout_s=_limit(slurm.get("PrologTimeout", both)),
        epilog_timeout_s=_limit(slurm.get("EpilogTimeout", both)),
        health_check_timeout_s=_limit(slurm.get("HealthCheckTimeout")) or HEALTH_CHECK_TIMEOUT_S,
        unkillable_s=_limit(slurm.get("UnkillableStepTimeout")) or USUAL_UNKILLABLE_S,
        serial="serial" in flags,
        holds="nohold_on_prolog_fail" not in scheduler,
    )


def matching(patterns: tuple[str, ...]) -> list[str]:
    """The programs behind paths and glob(7) patterns in the order in which Slurm runs them: each pattern's matches in
    reverse alphabetical order. Raises NoSuchProgram where one of them means nothing here."""
    found: list[str] = []
    for pattern in patterns:
        matches = sorted(glob.glob(pattern), reverse=True)  # noqa: PTH207 (patterns begin at the root)
        if not matches:
            raise NoSuchProgram(f"there is no {pattern}")
        found += matches
    return found


def prolog_environment(facts: JobFacts, node_name: str, cluster_name: str, slurm_conf: str) -> dict[str, str]:
    """The environment of a Prolog."""
    return _environment(facts, node_name, cluster_name, slurm_conf, "prolog_slurmd")


def epilog_environment(
    facts: JobFacts, node_name: str, cluster_name: str, slurm_conf: str, *, exit_status: int, derived_status: int
) -> dict[str, str]:
    """The environment of an Epilog; both statuses are as wait(2) gives them."""
    return _environment(facts, node_name, cluster_name, slurm_conf, "epilog_slurmd") | {
        "SLURM_JOB_DERIVED_EC": str(derived_status),
        "SLURM_JOB_EXIT_CODE": str(exit_status),
        "SLURM_JOB_EXIT_CODE2": f"{exit_status >> 8 & 0xFF}:{exit_status & 0x7F}",
    }


def health_environment(node_name: str) -> dict[str, str]:
    """The environment of a HealthCheckProgram."""
    return {"SLURMD_NODENAME": node_name}


def _environment(facts: JobFacts, node_name: str, cluster_name: str, slurm_conf: str, context: str) -> dict[str, str]:
    cpus = compress_counts(expand_counts(facts.cpus_per_node, facts.cpu_count_reps))
    always = {
        "SLURMD_NODENAME": node_name,
        "SLURM_CLUSTER_NAME": cluster_name,
        "SLURM_JOBID": str(facts.job_id),
        "SLURM_JOB_GID": str(facts.gid),
        "SLURM_JOB_ID": str(facts.job_id),
        "SLURM_JOB_NODELIST": facts.node_list,
        "SLURM_JOB_NUM_NODES": str(facts.node_count),
        "SLURM_JOB_RESTART_COUNT": str(facts.restart_count),
        "SLURM_JOB_UID": str(facts.uid),
        "SLURM_JOB_USER": facts.user_name,
        "SLURM_NODELIST": facts.node_list,
        "SLURM_SCRIPT_CONTEXT": context,
        "SLURM_UID": str(facts.uid),
    }
    told = {
        "SLURM_CONF": slurm_conf,
        "SLURM_JOB_ACCOUNT": facts.account,
        "SLURM_JOB_COMMENT": facts.comment,
        "SLURM_JOB_CONSTRAINTS": facts.constraints,
        "SLURM_JOB_CPUS_PER_NODE": cpus,
        "SLURM_JOB_END_TIME": str(facts.end_s or ""),
        "SLURM_JOB_EXTRA": facts.extra,
        "SLURM_JOB_LICENSES": facts.licenses,
        "SLURM_JOB_PARTITION": facts.partition,
        "SLURM_JOB_RESERVATION": facts.reservation,
        "SLURM_JOB_START_TIME": str(facts.start_s or ""),
        "SLURM_JOB_STDERR": facts.std_err,
        "SLURM_JOB_STDIN": facts.std_in,
        "SLURM_JOB_STDOUT": facts.std_out,
        "SLURM_JOB_WORK_DIR": facts.work_dir,
    }
    return always | {name: value for name, value in told.items() if value}


def _several(text: str, slurm_conf: str | None) -> tuple[str, ...]:
    """A list of paths and patterns; a name without a folder lies beside the slurm.conf, where a controller sent it."""
    beside = Path(slurm_conf or "/").parent
    return tuple(str(beside / each) for each in map(_single, text.split(",")) if each)


def _single(text: str) -> str:
    text = text.strip()
    return "" if text.lower() in _UNSET else text


def _words(text: str) -> frozenset[str]:
    return frozenset(word.strip().lower() for word in text.split(","))


def _limit(text: str | None) -> float | None:
    """Seconds; None where there is no limit."""
    if text is None or text.strip().lower() in _UNLIMITED:
        return None
    return float(text) if text.strip().isdigit() and int(text) else None
