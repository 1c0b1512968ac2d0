"""What a job is: what was asked for, what it got, and what its programs are told. See `flurm.core.records`."""

from flurm.core.enums import JobFlag, JobState, Reason
from flurm.core.record import Record

HIGHEST_PRIORITY = 0xFFFF0000 - 1
"""Priority of the first job under priority/basic; each later one gets one less."""


class JobSpec(Record, frozen=True):
    """What a user asked for, after defaults: nothing here changes but by an update."""

    name: str = ""
    user_id: int = 0
    group_id: int = 0
    user_name: str | None = None
    account: str | None = None
    qos: str | None = None
    wckey: str | None = None
    comment: str | None = None
    admin_comment: str | None = None
    extra: str | None = None
    partitions: tuple[str, ...] = ()
    reservation: str | None = None
    licenses: str | None = None
    mcs_label: str | None = None

    submit_host: str | None = None
    submit_sid: int = 0
    submit_line: str | None = None
    argv: tuple[str, ...] = ()
    script_digest: str | None = None
    script_size: int = 0
    environment_digest: str | None = None
    work_dir: str | None = None
    std_in: str | None = None
    std_out: str | None = None
    std_err: str | None = None
    open_mode: int = 0
    container: str | None = None
    spank_environment: tuple[str, ...] = ()

    num_tasks: int | None = None
    min_nodes: int = 1
    max_nodes: int | None = None
    min_cpus: int = 1
    max_cpus: int | None = None
    cpus_per_task: int | None = None
    ntasks_per_node: int | None = None
    ntasks_per_socket: int | None = None
    ntasks_per_core: int | None = None
    ntasks_per_board: int | None = None
    ntasks_per_tres: int | None = None
    boards_per_node: int | None = None
    sockets_per_board: int | None = None
    sockets_per_node: int | None = None
    cores_per_socket: int | None = None
    threads_per_core: int | None = None
    min_cpus_per_node: int | None = None
    memory_per_node_mib: int | None = None
    memory_per_cpu_mib: int | None = None
    tmp_disk_mib: int = 0
    features: str | None = None
    prefer: str | None = None
    cluster_features: str | None = None
    batch_features: str | None = None
    required_nodes: str | None = None
    excluded_nodes: str | None = None
    contiguous: bool = False
    exclusive: int | None = None
    """None: as the partition says; 0: whole nodes; 1: may share; 2: shares with the same user only."""
    overcommit: bool = False
    task_distribution: int | None = None
    plane_size: int | None = None
    core_spec: int | None = None
    network: str | None = None
    cpu_bind: str | None = None
    cpu_bind_type: int | None = None
    mem_bind: str | None = None
    mem_bind_type: int | None = None
    cpu_freq_min: int | None = None
    cpu_freq_max: int | None = None
    cpu_freq_governor: int | None = None
    tres_per_job: str | None = None
    tres_per_node: str | None = None
    tres_per_socket: str | None = None
    tres_per_task: str | None = None
    tres_bind: str | None = None
    tres_freq: str | None = None
    cpus_per_tres: str | None = None
    mem_per_tres: str | None = None
    burst_buffer: str | None = None
    req_switch: int = 0
    wait_for_switch_s: int = 0
    profile: int | None = None
    acctg_freq: str | None = None

    time_limit_min: int | None = None
    time_min_min: int | None = None
    begin_s: int = 0
    deadline_s: int = 0
    nice: int = 0
    requested_priority: int | None = None
    dependency: str | None = None
    requeue: bool = True
    immediate: bool = False
    reboot: bool = False
    kill_on_node_fail: bool = True
    wait_all_nodes: int | None = None
    delay_boot_s: int = 0
    mail_type: int = 0
    mail_user: str | None = None
    warn_signal: int = 0
    warn_time_s: int = 0
    warn_flags: int = 0
    bit_flags: int = 0
    site_factor: int = 0
    response_host: str | None = None
    response_port: int = 0
    protocol_version: int = 0
    """Wire version of the submission; callbacks to the submitter use it."""
    kill_invalid_dependency: bool | None = None
    """Whether the job ends when its dependency can no longer be satisfied; None: as the settings say."""


class ArrayTask(Record, frozen=True):
    """A job's place in a job array.

    While tasks wait together they are one record, `task_id` None and `waiting` a bitmap of their ids; a task that
    starts, or is changed alone, becomes a record of its own with a job id of its own, as Slurm does it.
    """

    job_id: int
    task_id: int | None = None
    waiting: int = 0
    max_running: int = 0
    """0: no limit."""
    count: int = 0
    lowest: int = 0
    highest: int = 0
    step: int = 1


class Dependency(Record, frozen=True):
    """One condition on another job (sbatch(1), --dependency)."""

    kind: str
    """after, afterany, afterok, afternotok, aftercorr, afterburstbuffer, expand or singleton."""
    job_id: int = 0
    task_id: int | None = None
    whole_array: bool = False
    delay_min: int = 0
    state: str = "unfulfilled"
    """unfulfilled, fulfilled or failed."""
    any_of: bool = False
    """Joined with the other ones by `?` (one is enough) instead of `,` (all are needed)."""


class NodeShare(Record, frozen=True):
    """What a job holds of one node."""

    node: int
    cores: int
    cpus: int
    memory_mib: int = 0


class Allocation(Record, frozen=True):
    """What a job holds: one share per node, in node order; the first node runs the batch script."""

    shares: tuple[NodeShare, ...]
    whole_nodes: bool = False

    @property
    def node_mask(self) -> int:
        """The nodes as a bitmap."""
        mask = 0
        for share in self.shares:
            mask |= 1 << share.node
        return mask

    @property
    def cpus(self) -> int:
        """CPUs over all nodes."""
        return sum(share.cpus for share in self.shares)

    @property
    def memory_mib(self) -> int:
        """Memory over all nodes."""
        return sum(share.memory_mib for share in self.shares)


class Job(Record, frozen=True):
    """One job, or the waiting rest of a job array."""

    id: int
    spec: JobSpec
    state: JobState = JobState.PENDING
    flags: JobFlag = JobFlag.NONE
    reason: Reason = Reason.NONE
    reason_text: str | None = None
    priority: int = 0
    """0: held."""
    hold: str | None = None
    """None, "user" or "admin"."""
    array: ArrayTask | None = None
    dependencies: tuple[Dependency, ...] = ()
    partition: str = ""
    """The partition it runs in, or the first it asks for."""
    time_limit_min: int | None = None
    """Filled from the partition when it starts, if the user gave none."""

    submit_s: int = 0
    eligible_s: int = 0
    start_s: int = 0
    """Start, or expected start of a pending job (0: not known)."""
    end_s: int = 0
    """End; while it runs, when its time limit ends."""
    last_evaluated_s: int = 0
    scheduled_by: str | None = None
    """Main or Backfill."""
    planned_nodes: int = 0
    """Nodes that backfill has in mind for it, as a mask."""

    allocation: Allocation | None = None
    node_names: tuple[str, ...] = ()
    """Names of the allocation's nodes, kept when the job has ended."""
    launch: str | None = None
    """None, "prolog" (once PrologSlurmctld is done), "wanted" (to be sent to the batch host) or "sent" (the node has
    accepted it)."""
    completing: int = 0
    """Nodes that have not yet said that nothing of the job is left, as a mask."""
    kill_requested_s: int = 0
    exit_status: int = 0
    """As wait(2) gives it."""
    derived_exit_status: int = 0
    restarts: int = 0
    requeue_held: bool = False
    prolog_run: int = 0
    """The PrologSlurmctld that it waits for, by its number in `Cluster.programs`."""
    epilog_run: int = 0
    """The EpilogSlurmctld that keeps it COMPLETING."""
    mails_sent: int = 0
    """Of those mails that are sent once in a run, which were, as --mail-type numbers."""

    @property
    def is_pending(self) -> bool:
        """Whether it waits and nothing of an earlier run is left."""
        return self.state is JobState.PENDING and not self.flags & JobFlag.COMPLETING

    @property
    def batch_host(self) -> str | None:
        """Name of the node that runs the batch script."""
        return self.node_names[0] if self.node_names else None


class ProgramRun(Record, frozen=True):
    """A program to be run (flurm.core.programs): which, for whom, and what it is told."""

    id: int
    kind: str
    """prolog, epilog, mail, trigger or reboot."""
    programs: tuple[str, ...]
    """Run one after the other until one fails; that of a trigger is a command line, the others are paths."""
    decided_s: int = 0
    job: Job | None = None
    """The job as it was when the program was decided on: its environment comes from it."""
    arguments: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    """Environment beside the job's own."""
    user_id: int | None = None
    """Who runs it; None: SlurmUser."""
    limit_s: int = 0
    """It is killed after so long; 0: never."""
