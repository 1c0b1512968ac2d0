"""What a node, a partition and a switch are. See `flurm.core.records`."""

from flurm.core.enums import NodeFlag, NodeState, PartitionState
from flurm.core.record import UNLIMITED, Record


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
