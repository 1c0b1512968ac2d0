"""The configuration as one frozen value, and the records inside it.

An attribute has the name of its key in flurm.toml, so that one word serves the file, the code and the messages.
docs/configuration.md lists every key with its unit and default.
"""

import msgspec

from flurm.core.node_records import Switch


class ControllerAddress(msgspec.Struct, frozen=True):
    """Where a controller listens; name is how slurm.conf calls it, raft_port 0 stands for the common one."""

    host: str
    port: int
    name: str = ""
    raft_port: int = 0


class NodeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One node as configured. sockets counts the whole node; memory and disk in MiB; gres is Slurm's text."""

    name: str
    hostname: str = ""
    address: str = ""
    bcast_address: str | None = None
    port: int = 6818
    cpus: int = 1
    boards: int = 1
    sockets: int = 1
    cores_per_socket: int = 1
    threads_per_core: int = 1
    real_memory_mib: int = 1
    tmp_disk_mib: int = 0
    features: tuple[str, ...] = ()
    gres: str | None = None
    weight: int = 1
    state: str = "UNKNOWN"
    reason: str | None = None
    core_spec_count: int = 0
    cpu_spec_list: str | None = None
    mem_spec_limit_mib: int = 0
    cpu_bind: str | None = None
    tres_weights: str | None = None
    restricted_cores_per_gpu: int | None = None


class PartitionConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One partition, with Slurm's defaults. Times in minutes unless told otherwise; None is no limit, or all.

    nodes holds expanded names in the order written; all_nodes tells that every node belongs, also those that
    register later; dynamic_features that those do which then have one of these (a node set by feature). allow_* and
    alloc_nodes are None where everyone may.
    """

    name: str
    nodes: tuple[str, ...] = ()
    all_nodes: bool = False
    alloc_nodes: tuple[str, ...] | None = None
    allow_accounts: tuple[str, ...] | None = None
    allow_groups: tuple[str, ...] | None = None
    allow_qos: tuple[str, ...] | None = None
    deny_accounts: tuple[str, ...] = ()
    deny_qos: tuple[str, ...] = ()
    alternate: str | None = None
    cpu_bind: str | None = None
    default: bool = False
    default_time: int | None = None
    def_cpu_per_gpu: int | None = None
    def_mem_per_gpu: int | None = None
    def_mem_per_cpu: int | None = None
    def_mem_per_node: int | None = None
    disable_root_jobs: bool = False
    exclusive_topo: bool = False
    exclusive_user: bool = False
    dynamic_features: tuple[str, ...] = ()
    features_required: tuple[str, ...] = ()
    grace_time: int = 0
    hidden: bool = False
    lln: bool = False
    max_cpus_per_node: int | None = None
    max_cpus_per_socket: int | None = None
    max_jobs_per_user: int | None = None
    max_mem_per_cpu: int | None = None
    max_mem_per_node: int | None = None
    max_nodes: int | None = None
    max_time: int | None = None
    min_nodes: int = 0
    over_subscribe: str = "NO"
    over_time_limit: int | None = None
    power_down_on_idle: bool = False
    preempt_mode: str | None = None
    priority_job_factor: int = 1
    priority_tier: int = 1
    qos: str | None = None
    req_resv: bool = False
    resume_timeout: int | None = None
    root_only: bool = False
    select_type_parameters: str | None = None
    state: str = "UP"
    suspend_time: int | None = None
    suspend_timeout: int | None = None
    topology: str | None = None
    tres_billing_weights: str | None = None

    @property
    def max_share(self) -> int:
        """Slurm's number: 0 exclusive, 1 no, n for YES:n, n + 0x8000 for FORCE:n; n is 4 unless told."""
        word, _, count = self.over_subscribe.partition(":")
        base = {"EXCLUSIVE": 0, "NO": 1}.get(word)
        return base if base is not None else int(count or 4) | (0x8000 if word == "FORCE" else 0)


class SlurmdConfig(msgspec.Struct, frozen=True, kw_only=True):
    """[flurm.slurmd]: what the node daemon on this host is. None means: as the hardware has it."""

    node_name: str = ""
    controllers: tuple[ControllerAddress, ...] = ()
    slurmd_port: int = 6818
    spool_dir: str = ""
    cpus: int | None = None
    boards: int | None = None
    sockets: int | None = None
    cores_per_socket: int | None = None
    threads_per_core: int | None = None
    memory: int | None = None
    tmp_disk: int | None = None
    features: tuple[str, ...] = ()
    gres: str | None = None
    partitions: tuple[str, ...] = ()
    weight: int = 1
    heartbeat_interval: int = 30000


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was configured, checked. Intervals that Slurm knows are in seconds, FLURM's own in ms."""

    source: str | None = None
    slurm_conf: str | None = None
    warnings: tuple[str, ...] = ()

    cluster_name: str = "cluster"
    controller_name: str = ""
    slurmctld_host: str = "localhost"
    slurmctld_port: int = 6817
    slurmd_port: int = 6818
    raft_port: int = 6816
    join_port: int = 0
    """Where nodes that show a token get the cluster's key; 0: nowhere."""
    http_host: str = ""
    http_port: int = 9090
    controllers: tuple[ControllerAddress, ...] = ()

    state_dir: str = ""
    log_dir: str = ""
    spool_dir: str = ""
    checkpoint_dir: str = ""
    checkpoint_interval: int = 60000

    scheduler_plugin: str = "flurm_sched_backfill"
    schedule_interval: int = 1000
    scheduler_parameters: str | None = None
    max_job_count: int = 100000
    default_time_limit: int | None = 60
    max_time_limit: int | None = 43200

    raft_election_timeout: tuple[int, int] = (150, 300)
    raft_heartbeat_interval: int = 50
    raft_snapshot_interval: int = 10000
    raft_clock_drift_bound: float | None = None
    raft_bootstrap: bool = True
    raft_ca: str = ""
    raft_certificate: str = ""
    raft_key: str = ""

    heartbeat_interval: int = 30000
    heartbeat_timeout: int = 90000
    node_down_threshold: int = 3

    auth_type: str = "munge"
    cred_type: str | None = None
    auth_alt_types: tuple[str, ...] = ()
    jwt_key: str | None = None
    slurm_key: str | None = None
    munge_key: str | None = None
    munge_socket: str | None = None
    munge_ttl: int = 300
    log_level: str = "info"

    slurm_user: str = "root"
    slurmd_user: str = "root"
    select_type: str = "select/cons_tres"
    select_type_parameters: str = "CR_Core_Memory"
    def_mem_per_cpu: int | None = None
    def_mem_per_node: int | None = None
    max_mem_per_cpu: int | None = None
    max_mem_per_node: int | None = None
    enforce_part_limits: str = "NO"
    priority_type: str = "priority/multifactor"
    preempt_type: str | None = None
    preempt_mode: str = "OFF"
    job_requeue: bool = True
    job_file_append: bool = False
    kill_on_bad_exit: bool = False
    disable_root_jobs: bool = False
    kill_wait: int = 30
    complete_wait: int = 0
    inactive_limit: int = 0
    wait_time: int = 0
    over_time_limit: int | None = 0
    batch_start_timeout: int = 10
    min_job_age: int = 300
    first_job_id: int = 1
    max_job_id: int = 67043328
    max_array_size: int = 1001
    max_step_count: int = 40000
    max_tasks_per_node: int = 512
    max_batch_requeue: int = 5
    message_timeout: int = 10
    tcp_timeout: int = 2
    tree_width: int = 16
    return_to_service: int = 1
    licenses: str | None = None
    switches: tuple[Switch, ...] = ()
    cgroup: dict[str, str] = {}
    job_submit_plugins: tuple[str, ...] = ()

    max_message_size: int = 1 << 30
    max_connections: int = 4096
    max_request_memory: int = 1 << 30
    connection_timeout: int = 60
    embedded_node: bool = False

    slurmd: SlurmdConfig = SlurmdConfig()
    nodes: tuple[NodeConfig, ...] = ()
    partitions: tuple[PartitionConfig, ...] = ()
    slurm: dict[str, str] = {}

    @property
    def has_launch_tokens(self) -> bool:
        """Whether launch credentials are tokens: where said, else with auth/slurm unless a slurm.conf says nothing."""
        if self.cred_type is not None:
            return self.cred_type == "slurm"
        return self.auth_type == "slurm" and self.slurm_conf is None

    @property
    def primary_name(self) -> str:
        """What the first controller that the configuration names is called among the members."""
        return self._member_name_of(self.all_controllers[0])

    @property
    def max_node_count(self) -> int:
        """Most nodes, dynamic ones included (MaxNodeCount).

        Where nothing is said: with a slurm.conf those that it names, as in Slurm; without one 65536.
        """
        given = self.slurm.get("MaxNodeCount", "")
        if given.isdigit():
            return max(int(given), len(self.nodes))
        return len(self.nodes) if self.slurm_conf is not None else 65536

    @property
    def default_partition(self) -> str | None:
        """The name of the partition that jobs go to which name none."""
        return next((each.name for each in self.partitions if each.default), None)

    @property
    def embedded_node_name(self) -> str | None:
        """The name of the node that this process serves itself, None where it serves none."""
        return self.slurmd.node_name if self.embedded_node else None

    @property
    def all_controllers(self) -> tuple[ControllerAddress, ...]:
        """The controllers of the cluster, this one included, never empty."""
        own = ControllerAddress(self.slurmctld_host, self.slurmctld_port, self.controller_name)
        return self.controllers or (own,)

    @property
    def own_address(self) -> ControllerAddress | None:
        """This controller's entry in `controllers`: the one with its host and port, else the one with its name."""
        every = self.all_controllers
        mine = (each for each in every if (each.host, each.port) == (self.slurmctld_host, self.slurmctld_port))
        return next(mine, None) or next((each for each in every if each.name == self.controller_name), None)

    @property
    def member_name(self) -> str:
        """What this controller is called among the members of its cluster, and in its certificate."""
        own = self.own_address
        return self.controller_name if own is None else self._member_name_of(own)

    def members(self) -> dict[str, str]:
        """The members of the cluster, name -> "host:raft_port", this controller included.

        Every controller finds the same names: those in `controllers` where each entry has one, else "host:port" for
        all of them, host and port being where Slurm's clients find it.
        """
        return {
            self._member_name_of(each): f"{bracketed(each.host)}:{each.raft_port or self.raft_port}"
            for each in self.all_controllers
        }

    def _member_name_of(self, each: ControllerAddress) -> str:
        has_names = all(other.name for other in self.all_controllers)
        return each.name if has_names else f"{bracketed(each.host)}:{each.port}"

    def node(self, name: str) -> NodeConfig | None:
        """Return the node of that name, None where none is configured."""
        return next((each for each in self.nodes if each.name == name), None)

    def partition(self, name: str) -> PartitionConfig | None:
        """Return the partition of that name, None where none is configured."""
        return next((each for each in self.partitions if each.name == name), None)

    def spool_dir_of(self, node_name: str, hostname: str) -> str:
        """Return the node daemon's spool directory with Slurm's %n (node) and %h (host) filled in."""
        return self.slurmd.spool_dir.replace("%n", node_name).replace("%h", hostname)


def bracketed(host: str) -> str:
    """A host as it stands before ":port": an IPv6 address goes into brackets."""
    return f"[{host}]" if ":" in host else host
