"""Everything that squeue can show about a job or a step: `-o` letters and `-O` words, one table each."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from flurm.client import jobs
from flurm.client.layout import Field
from flurm.client.states import job_state, job_state_compact
from flurm.client.texts import amount, group_name, moment, nice_value, or_null, span, star, user_name
from protocol.constants import (
    BATCH_STEP,
    CORE_SPEC_THREAD,
    EXTERN_STEP,
    INFINITE,
    INTERACTIVE_STEP,
    NO_VAL,
    NO_VAL16,
    PENDING_STEP,
    JobShared,
)
from protocol.messages import JobInfo, StepInfo

__all__ = ["JOB_LETTERS", "JOB_WORDS", "STEP_LETTERS", "STEP_WORDS", "View", "share_text", "step_id_text"]


class View(NamedTuple):
    """What a field may need besides its item."""

    now_s: float


def _field(header: str, text: Callable[[JobInfo], str]) -> Field:
    return Field(header, lambda job, view: text(job))


def _limit(job: JobInfo, view: View) -> str:
    if job.time_limit in (INFINITE, NO_VAL):
        return "UNLIMITED" if job.time_limit == INFINITE else "NOT_SET"
    return span(job.time_limit * 60)


def _left(job: JobInfo, view: View) -> str:
    left = jobs.seconds_left(job, view.now_s)
    if left is None:
        return "UNLIMITED" if job.time_limit == INFINITE else "NOT_SET"
    return span(left)


def share_text(shared: int) -> str:
    """Whether a job shares its nodes."""
    names = {JobShared.NONE: "NO", JobShared.OK: "YES", JobShared.USER: "USER", JobShared.MCS: "MCS"}
    return names.get(JobShared(shared), "OK") if shared in set(JobShared) else "OK"


def _core_spec(job: JobInfo) -> str:
    if job.core_spec == NO_VAL16:
        return "N/A"
    threads = job.core_spec & CORE_SPEC_THREAD
    return f"{job.core_spec & ~CORE_SPEC_THREAD} {'Threads' if threads else 'Cores'}"


def _multi(name: str) -> Callable[[JobInfo], str]:
    return lambda job: star(getattr(job.boards_per_node, name))


def _task_id(job: JobInfo) -> str:
    if job.array_task_str:
        return jobs.task_text(job)
    return "N/A" if job.array_task_id == NO_VAL else str(job.array_task_id)


def _plain(name: str) -> Callable[[JobInfo], str]:
    return lambda job: or_null(getattr(job, name))


def _number(name: str) -> Callable[[JobInfo], str]:
    return lambda job: str(getattr(job, name))


def _time(name: str, absent: str = "N/A") -> Callable[[JobInfo], str]:
    return lambda job: moment(getattr(job, name), absent)


def _end(job: JobInfo, view: View) -> str:
    if job.time_limit == INFINITE and job.end_time > view.now_s:
        return "NONE"
    return moment(job.end_time, "N/A")


def _exit(name: str) -> Callable[[JobInfo], str]:
    return lambda job: str(getattr(job, name))


def _sct(job: JobInfo) -> str:
    multi = job.boards_per_node
    return ":".join(star(each) for each in (multi.sockets_per_node, multi.cores_per_socket, multi.threads_per_core))


def _pending_time(job: JobInfo, view: View) -> str:
    until_s = job.start_time or view.now_s
    return str(int(until_s - job.submit_time))


def _path(name: str, default: str) -> Callable[[JobInfo], str]:
    def text(job: JobInfo) -> str:
        if given := getattr(job, name):
            return str(given)
        if not job.batch_flag:
            return ""
        return default.format(job=job)

    return text


def _output(job: JobInfo) -> str:
    if job.std_out:
        return job.std_out
    if job.array_job_id:
        return f"{job.work_dir}/slurm-{job.array_job_id}_{job.array_task_id}.out"
    return f"{job.work_dir}/slurm-{job.job_id}.out"


JOB_LETTERS = {
    "a": _field("ACCOUNT", _plain("account")),
    "A": _field("JOBID", _number("job_id")),
    "b": _field("TRES_PER_NODE", lambda job: job.tres_per_node or "N/A"),
    "B": _field("EXEC_HOST", lambda job: job.batch_host or "n/a"),
    "c": _field("MIN_CPUS", lambda job: amount(job.pn_min_cpus)),
    "C": _field("CPUS", lambda job: amount(job.num_cpus)),
    "d": _field("MIN_TMP_DISK", lambda job: amount(job.pn_min_tmp_disk, "M")),
    "D": _field("NODES", lambda job: amount(jobs.node_count(job))),
    "e": Field("END_TIME", _end),
    "E": _field("DEPENDENCY", _plain("dependency")),
    "f": _field("FEATURES", _plain("features")),
    "F": _field("ARRAY_JOB_ID", lambda job: str(job.array_job_id or job.job_id)),
    "g": _field("GROUP", lambda job: group_name(job.group_id)),
    "G": _field("GROUP", _number("group_id")),
    "h": _field("OVER_SUBSCRIBE", lambda job: share_text(job.shared)),
    "H": _field("SOCKETS_PER_NODE", _multi("sockets_per_node")),
    "i": _field("JOBID", jobs.job_id_text),
    "I": _field("CORES_PER_SOCKET", _multi("cores_per_socket")),
    "j": _field("NAME", _plain("name")),
    "J": _field("THREADS_PER_CORE", _multi("threads_per_core")),
    "k": _field("COMMENT", _plain("comment")),
    "K": _field("ARRAY_TASK_ID", _task_id),
    "l": Field("TIME_LIMIT", _limit),
    "L": Field("TIME_LEFT", _left),
    "m": _field("MIN_MEMORY", jobs.minimum_memory),
    "M": Field("TIME", lambda job, view: span(jobs.seconds_used(job, view.now_s))),
    "n": _field("REQ_NODES", lambda job: job.req_nodes or ""),
    "N": _field("NODELIST", lambda job: job.nodes or ""),
    "o": _field("COMMAND", _plain("command")),
    "O": _field("CONTIGUOUS", _number("contiguous")),
    "p": _field("PRIORITY", lambda job: f"{job.priority / 0xFFFFFFFF:16.14f}"),
    "P": _field("PARTITION", _plain("partition")),
    "q": _field("QOS", _plain("qos")),
    "Q": _field("PRIORITY", _number("priority")),
    "r": _field("REASON", jobs.reason),
    "R": _field("NODELIST(REASON)", jobs.reason_or_nodes),
    "s": _field("", lambda job: ""),
    "S": _field("START_TIME", _time("start_time")),
    "t": _field("ST", lambda job: job_state_compact(job.job_state)),
    "T": _field("STATE", lambda job: job_state(job.job_state)),
    "u": _field("USER", lambda job: user_name(job.user_id)),
    "U": _field("UID", _number("user_id")),
    "v": _field("RESERVATION", _plain("resv_name")),
    "V": _field("SUBMIT_TIME", _time("submit_time")),
    "w": _field("WCKEY", _plain("wckey")),
    "W": _field("LICENSES", _plain("licenses")),
    "x": _field("EXC_NODES", lambda job: job.exc_nodes or ""),
    "X": _field("CORE_SPEC", _core_spec),
    "y": _field("NICE", lambda job: str(nice_value(job.nice))),
    "Y": _field("SCHEDNODES", _plain("sched_nodes")),
    "z": _field("S:C:T", _sct),
    "Z": _field("WORK_DIR", _plain("work_dir")),
}

_LETTER_OF_WORD = {
    "account": "a",
    "arrayjobid": "F",
    "arraytaskid": "K",
    "batchhost": "B",
    "command": "o",
    "comment": "k",
    "contiguous": "O",
    "cores": "I",
    "corespec": "X",
    "dependency": "E",
    "endtime": "e",
    "feature": "f",
    "gres": "b",
    "groupid": "G",
    "groupname": "g",
    "jobarrayid": "i",
    "jobid": "A",
    "licenses": "W",
    "mincpus": "c",
    "minmemory": "m",
    "mintmpdisk": "d",
    "name": "j",
    "nice": "y",
    "nodelist": "N",
    "numcpus": "C",
    "numnodes": "D",
    "oversubscribe": "h",
    "partition": "P",
    "priority": "p",
    "prioritylong": "Q",
    "qos": "q",
    "reason": "r",
    "reasonlist": "R",
    "reqnodes": "n",
    "reservation": "v",
    "schednodes": "Y",
    "sct": "z",
    "selectjobinfo": "s",
    "sockets": "H",
    "starttime": "S",
    "state": "T",
    "statecompact": "t",
    "submittime": "V",
    "threads": "J",
    "timeleft": "L",
    "timelimit": "l",
    "timeused": "M",
    "tres-per-node": "b",
    "userid": "U",
    "username": "u",
    "wckey": "w",
    "workdir": "Z",
}

JOB_WORDS = {word: JOB_LETTERS[letter] for word, letter in _LETTER_OF_WORD.items()} | {
    "accruetime": _field("ACCRUE_TIME", _time("accrue_time")),
    "admin_comment": _field("ADMIN_COMMENT", _plain("admin_comment")),
    "allocnodes": _field("ALLOC_NODES", _plain("alloc_node")),
    "allocsid": _field("ALLOC_SID", _number("alloc_sid")),
    "associd": _field("ASSOC_ID", lambda job: str(job.assoc_id or 0)),
    "batchflag": _field("BATCH_FLAG", _number("batch_flag")),
    "boardspernode": _field("BOARDS_PER_NODE", lambda job: str(job.boards_per_node.boards_per_node or "N/A")),
    "burstbuffer": _field("BURST_BUFFER", _plain("burst_buffer")),
    "burstbufferstate": _field("BURST_BUFFER_STATE", _plain("burst_buffer_state")),
    "cluster": _field("CLUSTER", lambda job: job.cluster or "N/A"),
    "clusterfeature": _field("CLUSTER_FEATURES", _plain("cluster_features")),
    "container": _field("CONTAINER", _plain("container")),
    "cpus-per-task": _field("CPUS_PER_TASK", lambda job: _or_na(job.cpus_per_task)),
    "cpus-per-tres": _field("CPUS_PER_TRES", lambda job: job.cpus_per_tres or "N/A"),
    "deadline": _field("DEADLINE", _time("deadline")),
    "delayboot": _field("DELAY_BOOT", lambda job: span(job.delay_boot)),
    "derivedec": _field("DERIVED_EC", _exit("derived_ec")),
    "eligibletime": _field("ELIGIBLE_TIME", _time("eligible_time")),
    "exit_code": _field("EXIT_CODE", _exit("exit_code")),
    "hetjobid": _field("HET_JOB_ID", lambda job: str(job.het_job_id) if job.het_job_id else "N/A"),
    "hetjobidset": _field("HET_JOB_ID_SET", lambda job: job.het_job_id_set or "N/A"),
    "hetjoboffset": _field("HET_JOB_OFFSET", lambda job: str(job.het_job_offset) if job.het_job_id else "N/A"),
    "lastschedeval": _field("LAST_SCHED_EVAL", _time("last_sched_eval")),
    "maxcpus": _field("MAX_CPUS", _number("max_cpus")),
    "maxnodes": _field("MAX_NODES", _number("max_nodes")),
    "mcslabel": _field("MCSLABEL", lambda job: job.mcs_label or "N/A"),
    "mem-per-tres": _field("MEM_PER_TRES", lambda job: job.mem_per_tres or "N/A"),
    "mintime": Field("TIME_MIN", lambda job, view: span(job.time_min * 60) if job.time_min else "N/A"),
    "network": _field("NETWORK", _plain("network")),
    "ntperboard": _field("NTASKS_PER_BOARD", lambda job: _or_na(job.boards_per_node.ntasks_per_board)),
    "ntpercore": _field("NTASKS_PER_CORE", lambda job: _or_na(job.boards_per_node.ntasks_per_core)),
    "ntpernode": _field("NTASKS_PER_NODE", lambda job: _or_na(job.ntasks_per_node)),
    "ntpersocket": _field("NTASKS_PER_SOCKET", lambda job: _or_na(job.boards_per_node.ntasks_per_socket)),
    "numtasks": _field("TASKS", _number("num_tasks")),
    "origin": _field("ORIGIN", lambda job: job.fed_origin_str or "NA"),
    "originraw": _field("ORIGIN_RAW", lambda job: str(job.job_id >> 26) if job.job_id >> 26 else "NA"),
    "pendingtime": Field("PENDING_TIME", _pending_time),
    "preempttime": _field("PREEMPT_TIME", _time("preempt_time")),
    "prefer": _field("PREFER", _plain("prefer")),
    "profile": _field("PROFILE", _number("profile")),
    "reboot": _field("REBOOT", _number("reboot")),
    "reqswitch": _field("REQ_SWITCH", _number("req_switch")),
    "requeue": _field("REQUEUE", _number("requeue")),
    "resizetime": _field("RESIZE_TIME", _time("resize_time")),
    "restartcnt": _field("RESTART_COUNT", _number("restart_cnt")),
    "siblingsactive": _field("ACTIVE_SIBLINGS", lambda job: job.fed_siblings_active_str or "NA"),
    "siblingsactiveraw": _field("ACTIVE_SIBLINGS_RAW", lambda job: "NA"),
    "siblingsviable": _field("VIABLE_SIBLINGS", lambda job: job.fed_siblings_viable_str or "NA"),
    "siblingsviableraw": _field("VIALBLE_SIBLINGS_RAW", lambda job: "NA"),
    "sperboard": _field("SOCKETS_PER_BOARD", lambda job: _or_na(job.boards_per_node.sockets_per_board)),
    "stderr": _field("STDERR", lambda job: job.std_err or _output(job)),
    "stdin": _field("STDIN", lambda job: job.std_in or "/dev/null"),
    "stdout": _field("STDOUT", _output),
    "system_comment": _field("SYSTEM_COMMENT", _plain("system_comment")),
    "tres-alloc": _field("TRES_ALLOC", lambda job: job.tres_alloc_str or job.tres_req_str or "N/A"),
    "tres-bind": _field("TRES_BIND", lambda job: job.tres_bind or "N/A"),
    "tres-freq": _field("TRES_FREQ", lambda job: job.tres_freq or "N/A"),
    "tres-per-job": _field("TRES_PER_JOB", lambda job: job.tres_per_job or "N/A"),
    "tres-per-socket": _field("TRES_PER_SOCKET", lambda job: job.tres_per_socket or "N/A"),
    "tres-per-task": _field("TRES_PER_TASK", lambda job: job.tres_per_task or "N/A"),
    "wait4switch": _field("WAIT4SWITCH", lambda job: span(job.wait4switch)),
}


def _or_na(value: int) -> str:
    return "N/A" if value in (NO_VAL16, 0xFFFF) else str(value)


_STEP_NAMES = {
    BATCH_STEP: "batch",
    EXTERN_STEP: "extern",
    INTERACTIVE_STEP: "interactive",
    PENDING_STEP: "TBD",
}


def step_id_text(step: StepInfo) -> str:
    """`17.0`, `17.batch`, `17_3.batch`."""
    number = _STEP_NAMES.get(step.step_id.step_id, str(step.step_id.step_id))
    job = f"{step.array_job_id}_{step.array_task_id}" if step.array_job_id else str(step.step_id.job_id)
    return f"{job}.{number}"


def _step(header: str, text: Callable[[StepInfo], str]) -> Field:
    return Field(header, lambda step, view: text(step))


def _step_limit(step: StepInfo) -> str:
    return "UNLIMITED" if step.time_limit == INFINITE else span(step.time_limit * 60)


STEP_LETTERS = {
    "A": _step("TASKS", lambda step: str(step.num_tasks)),
    "b": _step("TRES_PER_NODE", lambda step: step.tres_per_node or "N/A"),
    "i": _step("STEPID", step_id_text),
    "j": _step("NAME", lambda step: step.name or ""),
    "l": _step("TIME_LIMIT", _step_limit),
    "M": _step("TIME", lambda step: span(step.run_time)),
    "N": _step("NODELIST", lambda step: step.nodes or ""),
    "P": _step("PARTITION", lambda step: step.partition or ""),
    "S": _step("START_TIME", lambda step: moment(step.start_time, "N/A")),
    "u": _step("USER", lambda step: user_name(step.user_id)),
    "U": _step("USER", lambda step: str(step.user_id)),
}
STEP_WORDS = {
    "arrayjobid": _step("ARRAY_JOB_ID", lambda step: str(step.array_job_id)),
    "arraytaskid": _step("ARRAY_TASK_ID", lambda step: str(step.array_task_id)),
    "cluster": _step("CLUSTER", lambda step: step.cluster or "N/A"),
    "container": _step("CONTAINER", lambda step: or_null(step.container)),
    "jobid": _step("JOB_ID", lambda step: str(step.step_id.job_id)),
    "network": _step("NETWORK", lambda step: or_null(step.network)),
    "nodes": STEP_LETTERS["N"],
    "numcpus": _step("NUM_CPUS", lambda step: str(step.num_cpus)),
    "numtasks": _step("NUM_TASKS", lambda step: str(step.num_tasks)),
    "partition": STEP_LETTERS["P"],
    "starttime": STEP_LETTERS["S"],
    "stepid": STEP_LETTERS["i"],
    "stepname": STEP_LETTERS["j"],
    "stepstate": _step("STATE", lambda step: job_state(step.state)),
    "timelimit": STEP_LETTERS["l"],
    "timeused": STEP_LETTERS["M"],
    "userid": STEP_LETTERS["U"],
    "username": STEP_LETTERS["u"],
}
