"""Which jobs and steps squeue shows, and in which order."""

from __future__ import annotations

import pwd
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from flurm.client import jobs
from flurm.client.errors import CommandError
from flurm.client.squeue_fields import View, step_id_text
from flurm.client.states import JOB_STATE_WORDS, job_state, job_state_compact, job_state_named
from flurm.client.texts import group_name, user_name
from protocol.constants import NO_VAL, JobState, JobStateFlag
from protocol.messages import JobInfo, StepInfo

__all__ = ["Filter", "JobSelector", "expand_arrays", "parse_job_selectors", "parse_states", "parse_users", "sort_items"]

_SHOWN_UNLESS_ASKED = {JobState.PENDING, JobState.RUNNING, JobState.SUSPENDED}
ALL_STATES = -1


class JobSelector(NamedTuple):
    """A job as named on a command line: `17`, or `17_3` for a task of an array; a step has its text."""

    job_id: int
    task_id: int | None = None
    step: str | None = None

    def picks(self, job: JobInfo) -> bool:
        """Whether the job is meant, alone or as part of an array."""
        if self.task_id is None:
            return self.job_id in (job.job_id, job.array_job_id, job.het_job_id)
        if self.job_id != (job.array_job_id or job.job_id):
            return False
        if job.array_task_str:
            return self.task_id in jobs.task_ids(job.array_task_str)
        return job.array_task_id == self.task_id


class Filter(msgspec.Struct):
    """What must hold for a job to be shown; None where everything will do."""

    selectors: list[JobSelector] | None = None
    states: list[int] | None = None
    users: set[int] | None = None
    partitions: set[str] | None = None
    names: set[str] | None = None
    accounts: set[str] | None = None
    qos: set[str] | None = None
    reservations: set[str] | None = None
    licenses: set[str] | None = None
    nodes: set[str] | None = None

    def admits(self, job: JobInfo) -> bool:
        """Whether the job is shown."""
        return (
            (self.selectors is None or any(each.picks(job) for each in self.selectors))
            and self._state_fits(job.job_state)
            and _has(self.users, job.user_id)
            and (self.partitions is None or not self.partitions.isdisjoint((job.partition or "").split(",")))
            and _has(self.names, job.name)
            and _has(self.accounts, job.account)
            and _has(self.qos, job.qos)
            and _has(self.reservations, job.resv_name)
            and (self.licenses is None or not self.licenses.isdisjoint(_license_names(job.licenses)))
            and (self.nodes is None or jobs.on_node(job.nodes, self.nodes))
        )

    def admits_step(self, step: StepInfo) -> bool:
        """Whether the step is shown."""
        return (
            (self.selectors is None or any(_picks_step(each, step) for each in self.selectors))
            and _has(self.users, step.user_id)
            and _has(self.partitions, step.partition)
            and (self.nodes is None or jobs.on_node(step.nodes, self.nodes))
        )

    def _state_fits(self, state: int) -> bool:
        base = state & 0xFF
        if self.states is None:
            return base in _SHOWN_UNLESS_ASKED or bool(state & (JobStateFlag.COMPLETING | JobStateFlag.STAGE_OUT))
        if ALL_STATES in self.states:
            return True
        return any(state & each if each > 0xFF else base == each for each in self.states)


def _has(wanted: Collection[Any] | None, value: object) -> bool:
    return wanted is None or value in wanted


def _license_names(text: str | None) -> list[str]:
    return [each.partition(":")[0] for each in (text or "").split(",")]


def _picks_step(selector: JobSelector, step: StepInfo) -> bool:
    if selector.task_id is None:
        job_fits = selector.job_id in (step.step_id.job_id, step.array_job_id)
    else:
        job_fits = (selector.job_id, selector.task_id) == (step.array_job_id, step.array_task_id)
    return job_fits and selector.step in (None, step_id_text(step).rpartition(".")[2])


def parse_job_selectors(text: str) -> list[JobSelector]:
    """`17,18_3,19.0` as selectors. Raises ValueError naming the word that is none."""
    found = []
    for word in filter(None, text.split(",")):
        job, dot, step = word.partition(".")
        number, underscore, task = job.partition("_")
        if not number.isdigit() or not int(number) or (underscore and not task.isdigit()) or (dot and not step):
            raise ValueError(word)
        found.append(JobSelector(int(number), int(task) if task else None, step or None))
    return found


def parse_states(text: str, program: str) -> list[int]:
    """State words as numbers; `all` stands for every state. Raises CommandError as squeue words it."""
    found = []
    for word in filter(None, text.split(",")):
        if word.lower() == "all":
            return [ALL_STATES]
        state = job_state_named(word)
        if state is None:
            raise CommandError(
                f"{program}: error: Invalid job state specified: {word}\n"
                f"{program}: error: Valid job states include: {JOB_STATE_WORDS}\n"
            )
        found.append(state)
    return found


def parse_users(text: str, complain: Callable[[str], None]) -> set[int]:
    """User names and numbers as numbers; those that do not exist are complained about and match nothing."""
    found = {NO_VAL}
    for word in filter(None, text.split(",")):
        try:
            found.add(int(word) if word.isdigit() else pwd.getpwnam(word).pw_uid)
        except KeyError:
            complain(word)
    return found


def expand_arrays(found: Iterable[JobInfo]) -> list[JobInfo]:
    """Every pending task of an array as a job of its own."""
    expanded = []
    for job in found:
        if not job.array_task_str:
            expanded.append(job)
            continue
        for task_id in jobs.task_ids(job.array_task_str):
            expanded.append(msgspec.structs.replace(job, array_task_str=None, array_task_id=task_id))
    return expanded


def _start(job: JobInfo, view: View) -> float:
    return job.start_time or float("inf")


def _job_number(job: JobInfo) -> tuple[int, int]:
    if job.het_job_id:
        return job.het_job_id, job.het_job_offset
    return job.array_job_id or job.job_id, job.array_task_id


Key = Callable[[Any, View], Any]

_JOB_KEYS: dict[str, Key] = {
    "A": lambda job, view: job.job_id,
    "b": lambda job, view: job.tres_per_node or "",
    "c": lambda job, view: job.pn_min_cpus,
    "C": lambda job, view: job.num_cpus,
    "d": lambda job, view: job.pn_min_tmp_disk,
    "D": lambda job, view: jobs.node_count(job),
    "e": lambda job, view: job.end_time,
    "f": lambda job, view: job.features or "",
    "F": lambda job, view: job.array_job_id or job.job_id,
    "g": lambda job, view: group_name(job.group_id),
    "G": lambda job, view: job.group_id,
    "i": lambda job, view: _job_number(job),
    "j": lambda job, view: job.name or "",
    "K": lambda job, view: job.array_task_id,
    "l": lambda job, view: job.time_limit,
    "L": lambda job, view: _left_or_most(job, view),
    "m": lambda job, view: job.pn_min_memory & ~(1 << 63),
    "M": lambda job, view: jobs.seconds_used(job, view.now_s),
    "n": lambda job, view: job.req_nodes or "",
    "N": lambda job, view: job.nodes or "",
    "p": lambda job, view: (job.priority, _job_number(job)[0]),
    "P": lambda job, view: job.partition or "",
    "Q": lambda job, view: (job.priority, _job_number(job)[0]),
    "S": _start,
    "t": lambda job, view: job_state_compact(job.job_state),
    "T": lambda job, view: job_state(job.job_state),
    "u": lambda job, view: user_name(job.user_id),
    "U": lambda job, view: job.user_id,
    "v": lambda job, view: job.resv_name or "",
    "V": lambda job, view: job.submit_time,
}
_STEP_KEYS: dict[str, Key] = {
    "i": lambda step, view: (step.array_job_id or step.step_id.job_id, step.step_id.job_id, step.step_id.step_id),
    "j": lambda step, view: step.name or "",
    "l": lambda step, view: step.time_limit,
    "M": lambda step, view: step.run_time,
    "N": lambda step, view: step.nodes or "",
    "P": lambda step, view: step.partition or "",
    "S": lambda step, view: step.start_time,
    "u": lambda step, view: user_name(step.user_id),
    "U": lambda step, view: step.user_id,
}


def _left_or_most(job: JobInfo, view: View) -> float:
    left = jobs.seconds_left(job, view.now_s)
    return float("inf") if left is None else left


def sort_items(items: Sequence[Any], order: str, view: View, *, steps: bool = False) -> list[Any]:
    """The items by the letters of `-S`, the first counting most; `-` before a letter reverses it."""
    keys = _STEP_KEYS if steps else _JOB_KEYS
    result = list(items)
    for word in reversed([each for each in order.split(",") if each]):
        sign, letter = (word[0], word[1:]) if word[0] in "+-" else ("+", word)
        if (key := keys.get(letter[:1])) is not None:
            result.sort(key=lambda item, key=key: key(item, view), reverse=sign == "-")  # type: ignore[misc]
    return result
