"""What a cluster is: immutable records in immutable tables.

A `Cluster` is one value. Every change makes a new one that shares all it did not touch, so a reader keeps a reference
and needs no lock, and a snapshot costs nothing. Times are whole seconds since the epoch, memory is in MiB, time limits
are in minutes, `None` means "not given". Node sets and core sets are integers used as bitmaps: bit i of a node mask is
the node with index i, bit i of a core mask is core i of that node.
"""

from immutables import Map

from flurm.core.effects import Reply
from flurm.core.enums import JobFlag, JobState, NodeFlag, NodeState, PartitionState, Reason
from flurm.core.record import Record
from flurm.core.trigger_records import Trigger, TriggerEvents

UNLIMITED = 0xFFFFFFFF
"""A time limit or count without end."""

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


class NodeFacts(Record, frozen=True):
    """What a node daemon says about its machine."""

    version: str = ""
    protocol_version: int = 0
    arch: str | None = None
    os: str | None = None
    cpus: int = 0
    boards: int = 1
    sockets: int = 1
    cores_per_socket: int = 1
    threads_per_core: int = 1
    real_memory_mib: int = 1
    tmp_disk_mib: int = 0
    boot_s: int = 0
    daemon_start_s: int = 0


class Reboot(Record, frozen=True):
    """A reboot that an administrator asked for (scontrol(1), reboot)."""

    asap: bool = False
    """The node was drained for it."""
    next_state: str | None = None
    """"resume", "down", or as it was before."""
    issued_s: int = 0
    """When the node was told; 0: it still has jobs."""
    told: bool = False
    """Whether the node has heard of it."""


class Node(Record, frozen=True):
    """One node: what is configured, what it said of itself, what runs on it."""

    name: str
    index: int
    hostname: str = ""
    address: str = ""
    port: int = 6818
    cpus: int = 1
    boards: int = 1
    sockets: int = 1
    cores_per_socket: int = 1
    threads_per_core: int = 1
    real_memory_mib: int = 1
    tmp_disk_mib: int = 0
    weight: int = 1
    features: tuple[str, ...] = ()
    active_features: tuple[str, ...] | None = None
    gres: str | None = None
    comment: str | None = None
    extra: str | None = None
    declared: str | None = None
    """The line with which a dynamic node joined, or was created; None: the configuration names it."""
    state: NodeState = NodeState.UNKNOWN
    flags: NodeFlag = NodeFlag.NONE
    reason: str | None = None
    reason_s: int = 0
    reason_uid: int = 0xFFFFFFFE
    facts: NodeFacts | None = None
    last_busy_s: int = 0
    used_cores: int = 0
    used_cpus: int = 0
    used_memory_mib: int = 0
    jobs: tuple[int, ...] = ()
    completing_jobs: tuple[int, ...] = ()
    exclusive_job: int = 0
    """Id of the job that holds the whole node; 0: none."""
    lost: tuple[int, ...] = ()
    """Jobs that were taken from it when it was set down. A launch of one may still be on its way there, so nothing
    starts on the node until it has said of each that it is gone, and will take no older launch of it."""
    reboot: Reboot | None = None
    """What is to become of it when it has been rebooted; None: it is not to be."""

    @property
    def cores(self) -> int:
        """Cores that jobs are given out of."""
        return max(1, self.cpus // max(1, self.threads_per_core))

    @property
    def is_up(self) -> bool:
        """Whether it answers and may run jobs."""
        away = NodeFlag.NO_RESPOND | NodeFlag.FAIL | NodeFlag.POWERED_DOWN
        return self.state is NodeState.IDLE and not self.flags & away

    @property
    def is_schedulable(self) -> bool:
        """Whether new jobs may start on it."""
        return self.is_up and not self.flags & NodeFlag.DRAIN and not self.lost

    @property
    def shown_state(self) -> NodeState:
        """The state that clients see: ALLOCATED and MIXED come from what runs there."""
        if self.state is not NodeState.IDLE or not self.used_cpus:
            return self.state
        return NodeState.ALLOCATED if self.exclusive_job or self.used_cpus >= self.cpus else NodeState.MIXED


class Partition(Record, frozen=True):
    """One partition (slurm.conf(5), PARTITION CONFIGURATION)."""

    name: str
    nodes: str = ""
    node_mask: int = 0
    state: PartitionState = PartitionState.UP
    is_default: bool = False
    max_time_min: int = UNLIMITED
    default_time_min: int | None = None
    min_nodes: int = 0
    max_nodes: int = UNLIMITED
    priority_tier: int = 1
    priority_job_factor: int = 1
    default_memory_per_cpu_mib: int | None = None
    default_memory_per_node_mib: int | None = None
    max_memory_per_cpu_mib: int | None = None
    max_memory_per_node_mib: int | None = None
    max_cpus_per_node: int = UNLIMITED
    over_subscribe: str = "NO"
    """NO, YES, EXCLUSIVE or FORCE."""
    max_share: int = 1
    exclusive_user: bool = False
    hidden: bool = False
    root_only: bool = False
    disable_root_jobs: bool = False
    requires_reservation: bool = False
    least_loaded: bool = False
    grace_time_s: int = 0
    over_time_limit_min: int | None = None
    preempt_mode: str | None = None
    allow_accounts: str | None = None
    deny_accounts: str | None = None
    allow_groups: str | None = None
    allow_qos: str | None = None
    deny_qos: str | None = None
    qos: str | None = None
    alternate: str | None = None
    allow_alloc_nodes: str | None = None
    billing_weights: str | None = None
    max_jobs_per_user: int | None = None
    features_required: tuple[str, ...] = ()
    dynamic_features: tuple[str, ...] = ()
    """Dynamic nodes with one of these features belong to it as well (NodeSet=... Feature=...)."""


class Switch(Record, frozen=True):
    """A network switch (topology.conf(5), topology/tree): nodes below it, or switches whose nodes these are."""

    name: str
    level: int = 0
    """0: nodes are connected to it."""
    nodes: str = ""
    """As the file has them where nodes are connected to it."""
    switches: str | None = None
    link_speed: int = 1


class Settings(Record, frozen=True):
    """Those parts of the configuration that decide how commands are applied."""

    cluster_name: str = "cluster"
    slurm_user_id: int = 0
    first_job_id: int = 1
    max_job_id: int = 0x03FF0000
    max_job_count: int = 100_000
    max_array_size: int = 1001
    max_node_count: int = 0
    """Most nodes, dynamic ones included; 0: no more than are configured."""
    min_job_age_s: int = 300
    kill_wait_s: int = 30
    requeue_delay_s: int = 121
    """A requeued job waits so long: node daemons refuse its credential until the old one is forgotten."""
    over_time_limit_min: int = 0
    enforce_part_limits: str = "NO"
    """NO, ANY or ALL."""
    job_requeue: bool = True
    default_memory_per_cpu_mib: int | None = None
    default_memory_per_node_mib: int | None = None
    max_memory_per_cpu_mib: int | None = None
    max_memory_per_node_mib: int | None = None
    memory_is_consumed: bool = True
    kill_invalid_dependency: bool = False
    return_to_service: int = 1
    priority_type: str = "basic"
    user_may_top: bool = False
    licenses: str | None = None
    """What there is, as slurm.conf has it; see flurm.core.licenses."""
    switches: tuple[Switch, ...] = ()
    """In the order of topology.conf; none: all nodes are equally far from each other."""
    prolog_slurmctld: tuple[str, ...] = ()
    epilog_slurmctld: tuple[str, ...] = ()
    prolog_limit_s: int = 0
    """PrologSlurmctld is killed after so long; 0: never."""
    epilog_limit_s: int = 0
    mail_program: str | None = None
    resume_timeout_s: int = 60
    """A node that was told to reboot must be back after so long."""
    reboot_program: str | None = None
    """Where reboots are the controller's task (SlurmctldParameters=reboot_from_controller): what it runs for them."""
    user_triggers: bool = False
    """Whether users may set triggers (SlurmctldParameters=allow_user_triggers)."""


class JoinToken(Record, frozen=True):
    """What is left of a token with which nodes may join; the token itself is nowhere but with who was given it."""

    id: str
    created_s: int
    expires_s: int
    uses: int
    """How many more nodes may join with it."""
    joined: tuple[str, ...] = ()
    """The nodes that have."""


class Cluster(Record, frozen=True):
    """The whole state. `version` rises by one with every applied command."""

    settings: Settings = Settings()
    jobs: Map[int, Job] = Map()
    nodes: Map[str, Node] = Map()
    node_order: tuple[str, ...] = ()
    """Node names by index."""
    partitions: Map[str, Partition] = Map()
    pending: Map[int, int] = Map()
    """Ids of jobs that wait (value: submit time), so that planning need not look at the others."""
    active: Map[int, int] = Map()
    """Ids of jobs that hold resources: running, suspended or completing."""
    ended: Map[int, int] = Map()
    """Ids of jobs that are over (value: end time), until they are forgotten."""
    timed: Map[int, int] = Map()
    """Ids of waiting jobs for which time alone may change something."""
    dependent: Map[int, int] = Map()
    """Ids of waiting jobs that have dependencies."""
    arrays: Map[int, tuple[int, ...]] = Map()
    """Job ids of the records of each array, by array job id."""
    fingerprint: str = ""
    """Of the configuration that was last applied."""
    configured_s: int = 0
    """When that was."""
    next_job_id: int = 1
    next_priority: int = HIGHEST_PRIORITY
    version: int = 0
    shape_version: int = 0
    """Rises when what nodes are configured to be changes."""
    jobs_changed_s: int = 0
    nodes_changed_s: int = 0
    partitions_changed_s: int = 0
    closed: str | None = None
    """Why no new jobs are taken (`flurm drain`); None: they are."""
    answers: Map[str, Reply] = Map()
    """What was answered to the last commands that had a request id (flurm.core.answers)."""
    answered: Map[int, str] = Map()
    """Their request ids, numbered in order."""
    answers_given: int = 0
    join_tokens: Map[str, JoinToken] = Map()
    """By id; those that have expired go when the next one is made."""
    programs: Map[int, ProgramRun] = Map()
    """Programs that the leader is to run, or runs (flurm.core.programs)."""
    next_program: int = 1
    triggers: Map[int, Trigger] = Map()
    next_trigger: int = 1
    trigger_events: TriggerEvents | None = None
    """What has happened since triggers were looked at last; only where there are any."""
    rebooting: Map[str, int] = Map()
    """Nodes with a reboot before them or under way."""
    machine_version: int = 1
    """Which of the versions in `flurm.core.machine` says how commands are applied."""

    def node_at(self, index: int) -> Node:
        """The node with this index."""
        return self.nodes[self.node_order[index]]

    def nodes_in(self, mask: int) -> list[Node]:
        """The nodes of a mask, in index order."""
        return [self.node_at(index) for index in bits_of(mask)]

    def names_in(self, mask: int) -> list[str]:
        """The names of a mask's nodes, in index order."""
        return [self.node_order[index] for index in bits_of(mask)]

    def mask_of(self, names: "list[str] | tuple[str, ...]") -> int:
        """The mask of these nodes. Raises KeyError for a name that is no node's."""
        mask = 0
        for name in names:
            mask |= 1 << self.nodes[name].index
        return mask


def bits_of(mask: int) -> list[int]:
    """Positions of the set bits, lowest first."""
    found = []
    while mask:
        low = mask & -mask
        found.append(low.bit_length() - 1)
        mask ^= low
    return found
