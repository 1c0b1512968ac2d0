"""`scontrol show job` and `show step`: everything about a job, line by line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence

from flurm.client import jobs
from flurm.client.squeue_fields import share_text, step_id_text
from flurm.client.states import job_state
from flurm.client.texts import amount, full_span, group_name, memory, moment, nice_value, or_null, star, user_name
from protocol.constants import (
    CORE_SPEC_THREAD,
    INFINITE,
    INFINITE16,
    MEM_PER_CPU,
    NO_VAL,
    NO_VAL16,
    JobFlag,
    JobState,
    MailFlag,
)
from protocol.hostlist import count, expand, fold
from protocol.messages import JobInfo, NodeInfo, StepInfo

__all__ = ["job_text", "join_lines", "step_text"]

_INDENT = "\n   "


def join_lines(lines: Sequence[str], *, one_line: bool) -> str:
    """One record's lines as scontrol prints them: indented below the first, or all on one."""
    return " ".join(lines) + "\n" if one_line else _INDENT.join(lines) + "\n\n"


def job_text(job: JobInfo, now_s: float, *, one_line: bool, details: bool, threads: Mapping[str, int]) -> str:
    """A job; `threads` has the threads per core of nodes, for the CPU numbers that `details` shows."""
    lines = [*_who(job), *_when(job, now_s, details), *_where(job), *_what(job, details, threads), *_files(job)]
    return join_lines([*lines, ""], one_line=one_line)


def _who(job: JobInfo) -> Iterator[str]:
    first = f"JobId={job.job_id} "
    if job.array_job_id:
        task = jobs.task_text(job) if job.array_task_str else str(job.array_task_id)
        first += f"ArrayJobId={job.array_job_id} ArrayTaskId={task} "
        if job.array_max_tasks:
            first += f"ArrayTaskThrottle={job.array_max_tasks} "
    elif job.het_job_id:
        first += f"HetJobId={job.het_job_id} HetJobOffset={job.het_job_offset} "
    yield f"{first}JobName={or_null(job.name)}"
    if job.het_job_id_set:
        yield f"HetJobIdSet={job.het_job_id_set}"
    yield (
        f"UserId={user_name(job.user_id)}({job.user_id}) GroupId={group_name(job.group_id)}({job.group_id})"
        f" MCS_label={job.mcs_label or 'N/A'}"
    )
    nice = nice_value(job.nice)
    yield f"Priority={job.priority} Nice={nice} Account={or_null(job.account)} QOS={or_null(job.qos)}"
    reason = jobs.reason(job).replace(" ", "_")
    yield f"JobState={job_state(job.job_state)} Reason={reason} Dependency={or_null(job.dependency)}"


def _exit_text(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"0:{os.WTERMSIG(status)}"
    return f"{os.WEXITSTATUS(status)}:0" if os.WIFEXITED(status) else "0:0"


def _minutes(minutes: int, absent: str) -> str:
    if minutes == INFINITE:
        return "UNLIMITED"
    return absent if minutes in (NO_VAL, 0) else full_span(minutes * 60)


def _when(job: JobInfo, now_s: float, details: bool) -> Iterator[str]:
    yield (
        f"Requeue={job.requeue} Restarts={job.restart_cnt} BatchFlag={job.batch_flag} Reboot={job.reboot}"
        f" ExitCode={_exit_text(job.exit_code)}"
    )
    if details:
        yield f"DerivedExitCode={_exit_text(job.derived_ec)}"
    limit = "Partition_Limit" if job.time_limit == NO_VAL else _minutes(job.time_limit, "00:00:00")
    run = full_span(jobs.seconds_used(job, now_s))
    yield f"RunTime={run} TimeLimit={limit} TimeMin={_minutes(job.time_min, 'N/A')}"
    yield f"SubmitTime={moment(job.submit_time)} EligibleTime={moment(job.eligible_time)}"
    yield f"AccrueTime={moment(job.accrue_time)}"
    if job.resize_time:
        yield f"ResizeTime={moment(job.resize_time)}"
    endless = job.time_limit == INFINITE and job.end_time > now_s
    end = "Unknown" if endless else moment(job.end_time)
    yield f"StartTime={moment(job.start_time)} EndTime={end} Deadline={moment(job.deadline, 'N/A')}"
    if job.preempt_time or job.preemptable_time:
        eligible, done = moment(job.preemptable_time, "None"), moment(job.preempt_time, "None")
        yield f"PreemptEligibleTime={eligible} PreemptTime={done}"
    scheduler = "Backfill" if job.bitflags & JobFlag.BACKFILL_SCHED else "Main"
    yield (
        f"SuspendTime={moment(job.suspend_time, 'None')} SecsPreSuspend={job.pre_sus_time}"
        f" LastSchedEval={moment(job.last_sched_eval)} Scheduler={scheduler}"
    )


def _where(job: JobInfo) -> Iterator[str]:
    yield f"Partition={or_null(job.partition)} AllocNode:Sid={or_null(job.alloc_node)}:{job.alloc_sid}"
    yield f"ReqNodeList={or_null(job.req_nodes)} ExcNodeList={or_null(job.exc_nodes)}"
    yield f"NodeList={job.nodes or ''}"
    if job.sched_nodes:
        yield f"SchedNodeList={job.sched_nodes}"
    if job.batch_features:
        yield f"BatchFeatures={job.batch_features}"
    if job.batch_host:
        yield f"BatchHost={job.batch_host}"


def _node_numbers(job: JobInfo) -> str:
    if not jobs.is_pending(job):
        return amount(job.num_nodes)
    least = max(job.num_nodes, count(job.req_nodes))
    if job.max_nodes and job.max_nodes != NO_VAL:
        return f"{amount(least)}-{amount(max(job.max_nodes, least))}"
    return amount(least)


def _what(job: JobInfo, details: bool, threads: Mapping[str, int]) -> Iterator[str]:
    multi = job.boards_per_node
    per_task = "N/A" if job.cpus_per_task == NO_VAL16 else str(job.cpus_per_task)
    boards = (star(multi.boards_per_node), star(multi.sockets_per_board))
    yield (
        f"NumNodes={_node_numbers(job)} NumCPUs={amount(job.num_cpus)} NumTasks={amount(job.num_tasks)}"
        f" CPUs/Task={per_task} ReqB:S:C:T={':'.join(boards)}:{star(multi.cores_per_socket)}"
        f":{star(multi.threads_per_core)}"
    )
    yield f"TRES={or_null(job.tres_alloc_str or job.tres_req_str)}"
    per_node = ":".join(
        (
            star(job.ntasks_per_node),
            star(multi.ntasks_per_board),
            star(multi.ntasks_per_socket),
            star(multi.ntasks_per_core),
        )
    )
    yield f"Socks/Node={star(multi.sockets_per_node)} NtasksPerN:B:S:C={per_node} {_core_spec(job)}"
    if details and job.job_resrcs.nhosts not in (0, NO_VAL):
        yield f"JOB_GRES={or_null(job.gres_total)}"
        yield from (f"  {line}" for line in _node_details(job, threads))
    scope = "CPU" if job.pn_min_memory & MEM_PER_CPU else "Node"
    yield (
        f"MinCPUsNode={amount(job.pn_min_cpus)} MinMemory{scope}={jobs.minimum_memory(job)}"
        f" MinTmpDiskNode={memory(job.pn_min_tmp_disk)}"
    )
    yield f"Features={or_null(job.features)} DelayBoot={full_span(job.delay_boot)}"
    if job.cluster_features:
        yield f"ClusterFeatures={job.cluster_features}"
    if job.prefer:
        yield f"Prefer={job.prefer}"
    if job.resv_name:
        yield f"Reservation={job.resv_name}"
    yield (
        f"OverSubscribe={share_text(job.shared)} Contiguous={job.contiguous}"
        f" Licenses={or_null(job.licenses)} Network={or_null(job.network)}"
    )


def _core_spec(job: JobInfo) -> str:
    if job.core_spec in (NO_VAL16, INFINITE16):
        return "CoreSpec=*"
    if job.core_spec & CORE_SPEC_THREAD:
        return f"ThreadSpec={job.core_spec & ~CORE_SPEC_THREAD}"
    return f"CoreSpec={job.core_spec}"


def _node_details(job: JobInfo, threads: Mapping[str, int]) -> Iterator[str]:
    """Which CPUs and how much memory the job has on which nodes; nodes that agree share a line."""
    shared: list[tuple[list[str], str]] = []
    for name, cpus, mem in _allocations(job, threads):
        text = f"CPU_IDs={cpus} Mem={mem} GRES="
        if shared and shared[-1][1] == text:
            shared[-1][0].append(name)
        else:
            shared.append(([name], text))
    for names, text in shared:
        yield f"Nodes={fold(names)} {text}"


def _allocations(job: JobInfo, threads: Mapping[str, int]) -> Iterator[tuple[str, str, int]]:
    resources = job.job_resrcs
    cores_of = [
        sockets * cores
        for sockets, cores, repeated in zip(
            resources.sockets_per_node, resources.cores_per_socket, resources.sock_core_rep_count, strict=False
        )
        for _ in range(repeated)
    ]
    mask = resources.core_bitmap.mask if resources.core_bitmap else 0
    for index, name in enumerate(expand(resources.nodes) if resources.nodes else []):
        cores = cores_of[index] if index < len(cores_of) else 0
        per_core = threads.get(name, 1)
        used = [bit for bit in range(cores) if mask >> bit & 1]
        mask >>= cores
        cpus = [core * per_core + thread for core in used for thread in range(per_core)]
        mem = resources.memory_allocated[index] if index < len(resources.memory_allocated) else 0
        yield name, _ranges(cpus), mem


def _ranges(numbers: list[int]) -> str:
    text = fold(f"x{number}" for number in numbers)
    return re.sub(r"[x\[\]]", "", text)


_MAIL_WORDS = (
    (MailFlag.INVALID_DEPEND, "INVALID_DEPEND"),
    (MailFlag.JOB_BEGIN, "BEGIN"),
    (MailFlag.JOB_END, "END"),
    (MailFlag.JOB_FAIL, "FAIL"),
    (MailFlag.JOB_REQUEUE, "REQUEUE"),
    (MailFlag.JOB_STAGE_OUT, "STAGE_OUT"),
    (MailFlag.JOB_TIME50, "TIME_LIMIT_50"),
    (MailFlag.JOB_TIME80, "TIME_LIMIT_80"),
    (MailFlag.JOB_TIME90, "TIME_LIMIT_90"),
    (MailFlag.JOB_TIME100, "TIME_LIMIT"),
    (MailFlag.ARRAY_TASKS, "ARRAY_TASKS"),
)
_TRES_LINES = (
    ("CpusPerTres", "cpus_per_tres"),
    ("MemPerTres", "mem_per_tres"),
    ("TresBind", "tres_bind"),
    ("TresFreq", "tres_freq"),
    ("TresPerJob", "tres_per_job"),
    ("TresPerNode", "tres_per_node"),
    ("TresPerSocket", "tres_per_socket"),
    ("TresPerTask", "tres_per_task"),
)


def _files(job: JobInfo) -> Iterator[str]:
    yield f"Command={or_null(job.command)}"
    yield f"WorkDir={or_null(job.work_dir)}"
    for title, text in (
        ("AdminComment", job.admin_comment),
        ("SystemComment", job.system_comment),
        ("Comment", job.comment),
    ):
        if text:
            yield f"{title}={text} "
    if job.batch_flag:
        out = _expand(job.std_out or _default_output(job), job)
        yield f"StdErr={_expand(job.std_err, job) if job.std_err else out}"
        yield f"StdIn={_expand(job.std_in, job) if job.std_in else '/dev/null'}"
        yield f"StdOut={out}"
    if job.req_switch:
        yield f"Switches={job.req_switch}@{full_span(job.wait4switch)}"
    if job.burst_buffer:
        yield f"BurstBuffer={job.burst_buffer}"
    if job.cronspec:
        yield f"CronJob=Yes CrontabSpec={job.cronspec}"
    if job.bitflags & (JobFlag.KILL_INV_DEP | JobFlag.NO_KILL_INV_DEP):
        yield f"KillOInInvalidDependent={'Yes' if job.bitflags & JobFlag.KILL_INV_DEP else 'No'}"
    if speeds := _cpu_frequency(job):
        yield speeds
    yield "Power="
    for title, name in _TRES_LINES:
        if value := getattr(job, name):
            yield f"{title}={value}"
    if job.mail_type and job.mail_user:
        words = [word for flag, word in _MAIL_WORDS if job.mail_type & flag]
        yield f"MailUser={job.mail_user} MailType={','.join(words)}"


_SPEEDS = {0x80000001: "Low", 0x80000002: "Medium", 0x80000003: "High", 0x80000004: "HighM1"}


def _cpu_frequency(job: JobInfo) -> str:
    given = (("CPU_min_freq", job.cpu_freq_min), ("CPU_max_freq", job.cpu_freq_max))
    return "".join(f"{title}={_SPEEDS.get(value, value)} " for title, value in given if value not in (0, NO_VAL))


def _default_output(job: JobInfo) -> str:
    return f"{job.work_dir}/slurm-{'%A_%a' if job.array_job_id else '%j'}.out"


def _expand(path: str, job: JobInfo) -> str:
    """A path with the patterns that the controller leaves to the client filled in."""
    known = {
        "A": str(job.array_job_id or job.job_id),
        "a": str(job.array_task_id),
        "j": str(job.job_id),
        "u": user_name(job.user_id),
        "x": job.name or "",
    }
    return re.sub(r"%([Aajux])", lambda found: known[found[1]], path)


def threads_per_core(nodes: Sequence[NodeInfo | None]) -> dict[str, int]:
    """Node name -> threads per core."""
    return {node.name: node.threads or 1 for node in nodes if node is not None and node.name}


_DISTRIBUTIONS = {1: "Cyclic", 2: "Block", 3: "Arbitrary", 4: "Plane"}


def step_text(step: StepInfo, *, one_line: bool) -> str:
    """A step."""
    limit = "UNLIMITED" if step.time_limit == INFINITE else full_span(step.time_limit * 60)
    dist = _DISTRIBUTIONS.get(step.task_dist & 0xF)
    lines = [
        f"StepId={step_id_text(step)} UserId={step.user_id} StartTime={moment(step.start_time)} TimeLimit={limit}",
        f"State={job_state(step.state or JobState.PENDING)} Partition={or_null(step.partition)}"
        f" NodeList={or_null(step.nodes)}",
        f"Nodes={count(step.nodes)} CPUs={step.num_cpus} Tasks={step.num_tasks} Name={or_null(step.name)}"
        f" Network={or_null(step.network)}",
        f"TRES={or_null(step.tres_fmt_alloc_str)}",
        f"ResvPorts={or_null(step.resv_ports)}",
        "CPUFreqReq=Default" + (f" Dist={dist}" if dist else ""),
        f"SrunHost:Pid={or_null(step.srun_host)}:{step.srun_pid}",
    ]
    return join_lines(lines, one_line=one_line)
