"""What a node is asked to run and what it reports back, as plain records.

`LaunchSpec` is everything that a node must know to run the batch script of one job; `from_wire` builds it from the
wire's launch request, the `Launcher` carries it out. What happened comes back as `StepStarted`, `StepEnded` and
`StepFailedToStart`. A step is named by a `StepKey`: the same key is never run twice on a node.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

import msgspec

BATCH_STEP = 0xFFFFFFFB
"""Step number of a batch script, as on the wire."""

NO_VAL = 0xFFFFFFFE
"""'Not set' in 32 bits, as on the wire: the array ids of a job that is no array task."""

MEM_PER_CPU = 1 << 63
"""Set in a memory request that counts per CPU and not per node."""

ESLURMD_IO_ERROR = 4021
"""Wait status that Slurm reports where a job's input or output could not be opened (seen as exit code 0:53)."""

ESLURMD_FORK_FAILED = 4019
ESLURMD_PROLOG_FAILED = 4022
ESLURMD_UID_NOT_FOUND = 4005


class OpenMode(enum.IntEnum):
    """How an existing output file is opened."""

    DEFAULT = 0
    APPEND = 1
    TRUNCATE = 2


class SignalTarget(enum.StrEnum):
    """Whom a signal is for: the batch script alone, what it started, or both (scancel --batch, default, --full)."""

    SCRIPT = "script"
    CHILDREN = "children"
    ALL = "all"


class StepKey(NamedTuple):
    """Names one run of one step: a requeued job comes back with a higher restart count."""

    job_id: int
    restart_count: int = 0
    step_id: int = BATCH_STEP

    @property
    def name(self) -> str:
        """Name of the step's directory in the spool, e.g. 'job00042.0.batch'."""
        step = "batch" if self.step_id == BATCH_STEP else str(self.step_id)
        return f"job{self.job_id:05d}.{self.restart_count}.{step}"

    @classmethod
    def parse(cls, name: str) -> StepKey | None:
        """The key that a spool directory's name stands for; None where it is no such name."""
        parts = name.removeprefix("job").split(".")
        if not name.startswith("job") or len(parts) != 3 or not (parts[0].isdigit() and parts[1].isdigit()):
            return None
        if parts[2] != "batch" and not parts[2].isdigit():
            return None
        return cls(int(parts[0]), int(parts[1]), BATCH_STEP if parts[2] == "batch" else int(parts[2]))


class LaunchSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One batch script to run on this node.

    `environment` holds 'NAME=value' strings; text that is not UTF-8 travels as surrogate escapes. `cpus_per_node` and
    `cpu_count_reps` are the run-length coded CPU counts of the allocation's nodes, in the order of `node_list`.
    `cpu_ids` are the CPUs of this node that the step may use (empty: no binding). `memory_mib` is this node's share
    (0: no limit); `mem_request` is what the user asked for, with `MEM_PER_CPU` set where it counts per CPU. `start_s`
    and `end_s` are the job's start and its expected end (0: not told, as before 23.02).
    """

    job_id: int
    uid: int
    gid: int
    script: bytes
    restart_count: int = 0
    step_id: int = BATCH_STEP
    het_job_id: int = 0
    array_job_id: int = 0
    array_task_id: int = NO_VAL
    user_name: str = ""
    home: str = ""
    shell: str = ""
    gids: tuple[int, ...] = ()
    job_name: str = ""
    argv: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    work_dir: str = "/tmp"
    std_in: str = "/dev/null"
    std_out: str = ""
    std_err: str = ""
    open_mode: OpenMode = OpenMode.DEFAULT
    node_list: str = ""
    node_id: int = 0
    ntasks: int = 0
    cpus_per_task: int = 0
    cpus_per_node: tuple[int, ...] = (1,)
    cpu_count_reps: tuple[int, ...] = (1,)
    overcommit: bool = False
    cpu_ids: tuple[int, ...] = ()
    memory_mib: int = 0
    mem_request: int = 0
    partition: str = ""
    account: str = ""
    qos: str = ""
    reservation: str = ""
    cluster_name: str = ""
    start_s: int = 0
    end_s: int = 0

    @property
    def key(self) -> StepKey:
        """Names this run of this step."""
        return StepKey(self.job_id, self.restart_count, self.step_id)

    @property
    def is_array_task(self) -> bool:
        """Whether the job is a task of a job array."""
        return self.array_job_id not in (0, NO_VAL) and self.array_task_id != NO_VAL


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What a finished step used: CPU seconds of all its processes, and the largest one's resident set in KiB."""

    user_s: float = 0.0
    system_s: float = 0.0
    max_rss_kib: int = 0
    started_s: float = 0.0
    ended_s: float = 0.0


class StepStarted(msgspec.Struct, frozen=True):
    """The script runs; `pid` is its process."""

    key: StepKey
    pid: int


class StepEnded(msgspec.Struct, frozen=True):
    """The script has ended and nothing of the step is left.

    `wait_status` is as waitpid gives it and as REQUEST_COMPLETE_BATCH_SCRIPT carries it in job_rc; `slurm_rc` is 0
    or an error of the node itself; `lost` says that the step's manager died before it could learn the real status;
    `unkillable` that processes of it are left which could not be killed in time.
    """

    key: StepKey
    wait_status: int
    usage: Usage
    slurm_rc: int = 0
    lost: bool = False
    unkillable: bool = False


class StepFailedToStart(msgspec.Struct, frozen=True):
    """The script was never executed: `stage` and `error` say what failed; the numbers are as for `StepEnded`."""

    key: StepKey
    stage: str
    error: str
    wait_status: int
    slurm_rc: int = 0


Event = StepStarted | StepEnded | StepFailedToStart


class WaitingStep(msgspec.Struct, frozen=True):
    """A step that was found in the spool, whose prolog was not seen to end; `prolog` is that one's environment."""

    key: StepKey
    prolog: dict[str, str]


class RunningStep(msgspec.Struct, frozen=True):
    """A step that was found alive in the spool."""

    key: StepKey
    manager_pid: int
    script_pid: int


class FinishedStep(msgspec.Struct, frozen=True):
    """A step that was found in the spool and has ended; `event` tells how."""

    key: StepKey
    event: StepEnded | StepFailedToStart
