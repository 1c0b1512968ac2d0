"""From sbatch's options to the job description that is sent."""

from __future__ import annotations

import os
import re
import signal as signals
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from flurm.client.errors import CommandError
from flurm.client.sbatch_environment import exported, own_variables
from flurm.client.times import parse_minutes, parse_moment
from protocol.constants import (
    CORE_SPEC_THREAD,
    INFINITE,
    MEM_PER_CPU,
    NICE_OFFSET,
    NO_VAL,
    NO_VAL64,
    SELECT_CONS_TRES,
    JobFlag,
    JobShared,
    MailFlag,
    OpenMode,
)
from protocol.hostlist import HostlistError, count, expand
from protocol.messages import JobDescription

__all__ = ["Script", "describe", "parse_memory"]

Options = Mapping[str, str | None]
_TASK_DIST_UNSET = 0x2000
_WARN_BATCH, _WARN_RESERVATION = 1, 2
_MAIL = {
    "BEGIN": MailFlag.JOB_BEGIN,
    "END": MailFlag.JOB_END,
    "FAIL": MailFlag.JOB_FAIL,
    "REQUEUE": MailFlag.JOB_REQUEUE,
    "STAGE_OUT": MailFlag.JOB_STAGE_OUT,
    "TIME_LIMIT": MailFlag.JOB_TIME100,
    "TIME_LIMIT_90": MailFlag.JOB_TIME90,
    "TIME_LIMIT_80": MailFlag.JOB_TIME80,
    "TIME_LIMIT_50": MailFlag.JOB_TIME50,
    "ARRAY_TASKS": MailFlag.ARRAY_TASKS,
    "INVALID_DEPEND": MailFlag.INVALID_DEPEND,
}
_MAIL_ALL = (
    MailFlag.JOB_BEGIN
    | MailFlag.JOB_END
    | MailFlag.JOB_FAIL
    | MailFlag.JOB_REQUEUE
    | MailFlag.JOB_STAGE_OUT
    | MailFlag.INVALID_DEPEND
)
_DEFAULTS_WANTED = {
    "account": JobFlag.USE_DEFAULT_ACCT,
    "partition": JobFlag.USE_DEFAULT_PART,
    "qos": JobFlag.USE_DEFAULT_QOS,
    "wckey": JobFlag.USE_DEFAULT_WCKEY,
}
_COPIED = {
    "account": "account",
    "admin_comment": "admin_comment",
    "array": "array_inx",
    "batch": "batch_features",
    "bb": "burst_buffer",
    "cluster_constraint": "cluster_features",
    "clusters": "clusters",
    "comment": "comment",
    "constraint": "features",
    "container": "container",
    "dependency": "dependency",
    "exclude": "exc_nodes",
    "extra": "extra",
    "licenses": "licenses",
    "mail_user": "mail_user",
    "mcs_label": "mcs_label",
    "network": "network",
    "nodelist": "req_nodes",
    "partition": "partition",
    "prefer": "prefer",
    "qos": "qos",
    "reservation": "reservation",
    "wckey": "wckey",
}


class Script(NamedTuple):
    """What is to be run: its text, its name and its arguments with its path first (none for `--wrap`)."""

    text: str
    name: str
    argv: list[str]


class _Counts(NamedTuple):
    """How many nodes, tasks and CPUs; None where nothing was said."""

    min_nodes: int | None
    max_nodes: int | None
    tasks: int | None
    cpus_per_task: int | None

    @property
    def least_tasks(self) -> int:
        return self.tasks if self.tasks is not None else self.min_nodes or 1


def describe(options: Options, script: Script, submit_line: str, now_s: float) -> JobDescription:
    """The job description for these options. Raises CommandError for what makes no sense."""
    counts = _counts(options)
    name = options.get("job_name") or script.name
    work_dir = os.path.normpath(Path.cwd() / (options.get("chdir") or "."))
    job = JobDescription(
        contiguous=int("contiguous" in options),
        task_dist=_TASK_DIST_UNSET,
        name=name,
        alloc_sid=os.getsid(0),
        script=script.text,
        argv=list(script.argv),
        std_in=_stream(options, "input", work_dir) or "/dev/null",
        std_out=_stream(options, "output", work_dir),
        std_err=_stream(options, "error", work_dir),
        submit_line=submit_line,
        work_dir=work_dir,
        mem_bind_type=0,
        min_cpus=counts.least_tasks * (counts.cpus_per_task or 1),
        user_id=os.getuid(),
        group_id=os.getgid(),
        mail_type=0,
        select_jobinfo=SELECT_CONS_TRES,
        bitflags=int(_bitflags(options, counts)),
        environment=_environment(options, name, counts.tasks),
    )
    for dest, field in _COPIED.items():
        if options.get(dest):
            setattr(job, field, options[dest])
    _set_counts(job, options, counts)
    _set_memory(job, options)
    _set_times(job, options, now_s)
    _set_priority(job, options)
    _set_sharing(job, options)
    _set_ends(job, options)
    _set_gres(job, options)
    return job


def _environment(options: Options, name: str, tasks: int | None) -> list[str | None]:
    variables = exported(os.environ, options.get("export"))
    variables |= own_variables(options, name, tasks)
    return [f"{key}={value}" for key, value in variables.items()]


def _stream(options: Options, dest: str, work_dir: str) -> str | None:
    path = options.get(dest)
    if path is None:
        return None
    if path == "none":
        return "/dev/null"
    return path if path.startswith("/") else f"{work_dir}/{path}"


def _bitflags(options: Options, counts: _Counts) -> JobFlag:
    flags = JobFlag(0)
    for dest, flag in _DEFAULTS_WANTED.items():
        if not options.get(dest):
            flags |= flag
    if counts.tasks is not None:
        flags |= JobFlag.NTASKS_SET
    if counts.cpus_per_task is not None:
        flags |= JobFlag.CPUS_SET
    if "kill_on_invalid_dep" in options:
        wanted = (options["kill_on_invalid_dep"] or "yes").lower() == "yes"
        flags |= JobFlag.KILL_INV_DEP if wanted else JobFlag.NO_KILL_INV_DEP
    if "spread_job" in options:
        flags |= JobFlag.SPREAD_JOB
    if "use_min_nodes" in options:
        flags |= JobFlag.USE_MIN_NODES
    return flags


def _number(options: Options, dest: str, least: int = 1) -> int | None:
    text = options.get(dest)
    if text is None:
        return None
    if not text.isdigit() or int(text) < least:
        raise CommandError(f'sbatch: error: Invalid numeric value "{text}" for --{dest.replace("_", "-")}.')
    return int(text)


def _counts(options: Options) -> _Counts:
    tasks, cpus = _number(options, "ntasks"), _number(options, "cpus_per_task")
    least, most = _nodes(options.get("nodes"))
    if nodelist := options.get("nodelist"):
        named = _count_nodes(nodelist)
        least = max(least or 0, named)
        if most is not None and most < least:
            raise CommandError(f"sbatch: error: invalid number of nodes (-N {least}-{most})")
    per_node = _number(options, "ntasks_per_node")
    if tasks is None and per_node and least:
        tasks = least * per_node
    if tasks is not None and least is not None and tasks < least and "nodes" in options and not options.get("nodelist"):
        least = tasks
        most = least if most is None else min(most, least)
    return _Counts(least, most, tasks, cpus)


def _nodes(text: str | None) -> tuple[int | None, int | None]:
    if text is None:
        return None, None
    match = re.fullmatch(r"(\d+)([kKmM]?)(?:-(\d+)([kKmM]?))?", text)
    if not match or not int(match[1]):
        raise CommandError(f"sbatch: error: invalid node count `{text}'", 255)
    factor = {"": 1, "k": 1024, "m": 1 << 20}
    least = int(match[1]) * factor[match[2].lower()]
    most = int(match[3]) * factor[match[4].lower()] if match[3] else least
    if most < least:
        text = f"Maximum node count {most} is less than minimum node count {least}"
        raise CommandError(f"sbatch: error: {text}", 255)
    return least, most


def _count_nodes(text: str) -> int:
    try:
        return count(text)
    except HostlistError as error:
        raise CommandError(f"sbatch: error: Invalid node name specification: {error}") from error


def _set_counts(job: JobDescription, options: Options, counts: _Counts) -> None:
    if counts.min_nodes is not None:
        job.min_nodes = counts.min_nodes
    if counts.max_nodes is not None:
        job.max_nodes = counts.max_nodes
    if counts.tasks is not None:
        job.num_tasks = counts.tasks
    if counts.cpus_per_task is not None:
        job.cpus_per_task = job.pn_min_cpus = counts.cpus_per_task
    for dest in ("ntasks_per_node", "ntasks_per_socket", "ntasks_per_core"):
        if (value := _number(options, dest)) is not None:
            setattr(job, dest, value)
    for dest in ("sockets_per_node", "cores_per_socket", "threads_per_core"):
        if (value := _number(options, dest)) is not None:
            setattr(job, dest, value)
    if (least := _number(options, "mincpus")) is not None:
        job.pn_min_cpus = max(least, counts.cpus_per_task or 0)
    if options.get("hint") == "nomultithread":
        job.threads_per_core = 1
    if (cores := _number(options, "core_spec", 0)) is not None:
        job.core_spec = cores
    if (threads := _number(options, "thread_spec", 0)) is not None:
        job.core_spec = threads | CORE_SPEC_THREAD
    if nodefile := options.get("nodefile"):
        with open(nodefile) as file:
            job.req_nodes = ",".join(expand(",".join(file.read().split())))


def parse_memory(text: str, unit: str = "M") -> int | None:
    """An amount of memory in MiB, None where the text is none; a number alone is in `unit`."""
    match = re.fullmatch(r"(\d+)([kKmMgGtT]?)[bB]?", text)
    if not match:
        return None
    scale = (match[2] or unit).upper()
    value = int(match[1])
    return -(-value // 1024) if scale == "K" else value * {"M": 1, "G": 1024, "T": 1024 * 1024}[scale]


def _set_memory(job: JobDescription, options: Options) -> None:
    for dest, flag in (("mem", 0), ("mem_per_cpu", MEM_PER_CPU)):
        if (text := options.get(dest)) is None:
            continue
        mib = parse_memory(text)
        if mib is None:
            raise CommandError(f"sbatch: error: Invalid --{dest.replace('_', '-')} specification", 255)
        job.pn_min_memory = mib | flag
    if text := options.get("tmp"):
        disk = parse_memory(text)
        if disk is None:
            raise CommandError("sbatch: error: Invalid --tmp specification", 255)
        job.pn_min_tmp_disk = disk
    if job.pn_min_memory == NO_VAL64 and (text := options.get("mem_per_gpu")):
        job.mem_per_tres = f"gres:gpu:{parse_memory(text) or 0}"


def _parsed(options: Options, dest: str, parse: Callable[[str], int]) -> int | None:
    text = options.get(dest)
    if text is None:
        return None
    try:
        return parse(text)
    except (ValueError, OverflowError):
        raise CommandError(f"sbatch: error: Invalid --{dest.replace('_', '-')} specification", 255) from None


def _set_times(job: JobDescription, options: Options, now_s: float) -> None:
    if (limit := _parsed(options, "time", parse_minutes)) is not None:
        job.time_limit = limit or INFINITE
    if (least := _parsed(options, "time_min", parse_minutes)) is not None:
        job.time_min = least
    if (begin := _parsed(options, "begin", lambda text: parse_moment(text, now_s))) is not None:
        job.begin_time = begin
    if (deadline := _parsed(options, "deadline", lambda text: parse_moment(text, now_s))) is not None:
        job.deadline = deadline
    if (delay := _parsed(options, "delay_boot", parse_minutes)) is not None:
        job.delay_boot = delay * 60
    if switches := options.get("switches"):
        most, _, wait = switches.partition("@")
        job.req_switch = int(most)
        if wait:
            job.wait4switch = parse_minutes(wait) * 60
    if text := options.get("signal"):
        _set_signal(job, text)


def _set_signal(job: JobDescription, text: str) -> None:
    match = re.fullmatch(r"(?:([RB]+):)?(\w+)(?:@(\d+))?", text)
    number = _signal_number(match[2]) if match else None
    if match is None or number is None:
        raise CommandError("sbatch: error: Invalid --signal specification", 255)
    scope = match[1] or ""
    job.warn_flags = (_WARN_BATCH if "B" in scope else 0) | (_WARN_RESERVATION if "R" in scope else 0)
    job.warn_signal, job.warn_time = number, int(match[3] or 60)


def _signal_number(word: str) -> int | None:
    if word.isdigit():
        return int(word)
    try:
        return int(signals.Signals[f"SIG{word.upper().removeprefix('SIG')}"])
    except KeyError:
        return None


def _set_priority(job: JobDescription, options: Options) -> None:
    if "hold" in options:
        job.priority = 0
    elif text := options.get("priority"):
        if text.upper() == "TOP":
            job.priority = NO_VAL - 1
        elif text.isdigit() and int(text) < NO_VAL:
            job.priority = int(text)
        else:
            raise CommandError("sbatch: error: Invalid --priority specification", 255)
    if "nice" in options:
        nice = options["nice"] or "100"
        if not re.fullmatch(r"-?\d+", nice):
            raise CommandError("sbatch: error: Invalid --nice specification", 255)
        job.nice = int(nice) + NICE_OFFSET


def _set_sharing(job: JobDescription, options: Options) -> None:
    if "exclusive" in options:
        kinds = {None: JobShared.NONE, "": JobShared.NONE, "user": JobShared.USER, "mcs": JobShared.MCS}
        if options["exclusive"] not in kinds:
            raise CommandError("sbatch: error: Invalid --exclusive specification", 255)
        job.shared = int(kinds[options["exclusive"]])
    elif "oversubscribe" in options:
        job.shared = int(JobShared.OK)
    if "overcommit" in options:
        job.overcommit = 1


def _set_ends(job: JobDescription, options: Options) -> None:
    if "no_requeue" in options:
        job.requeue = 0
    elif "requeue" in options:
        job.requeue = 1
    if "no_kill" in options and options["no_kill"] != "off":
        job.kill_on_node_fail = 0
    if "reboot" in options:
        job.reboot = 1
    if mode := options.get("open_mode"):
        kinds = {"a": OpenMode.APPEND, "t": OpenMode.TRUNCATE}
        if mode[0] not in kinds:
            raise CommandError("sbatch: error: Invalid --open-mode specification", 255)
        job.open_mode = int(kinds[mode[0]])
    if words := options.get("mail_type"):
        job.mail_type = _mail_type(words)
    if "wait_all_nodes" in options:
        job.wait_all_nodes = int(options["wait_all_nodes"] == "1")


def _mail_type(words: str) -> int:
    chosen = MailFlag(0)
    for word in words.upper().split(","):
        if word == "NONE":
            return 0
        if word == "ALL":
            chosen |= _MAIL_ALL
        elif word in _MAIL:
            chosen |= _MAIL[word]
        else:
            raise CommandError("sbatch: error: Invalid --mail-type specification", 255)
    return int(chosen)


def _set_gres(job: JobDescription, options: Options) -> None:
    def gres(text: str) -> str:
        return ",".join(f"gres:{each}" for each in text.split(","))

    def gpus(text: str) -> str:
        return ",".join(f"gres:gpu:{each}" for each in text.split(","))

    per_node = [gres(text)] if (text := options.get("gres")) and text.lower() != "none" else []
    if text := options.get("gpus_per_node"):
        per_node.append(gpus(text))
    job.tres_per_node = ",".join(per_node) or None
    for dest, field in (("gpus", "job"), ("gpus_per_socket", "socket"), ("gpus_per_task", "task")):
        if text := options.get(dest):
            setattr(job, f"tres_per_{field}", gpus(text))
    if text := options.get("cpus_per_gpu"):
        job.cpus_per_tres = f"gres:gpu:{text}"
