"""What a cluster is: immutable records in immutable tables, those of `job_records`, `node_records`, `trigger_records`.

A `Cluster` is one value. Every change makes a new one that shares all it did not touch, so a reader keeps a reference
and needs no lock, and a snapshot costs nothing. Times are whole seconds since the epoch, memory is in MiB, time limits
are in minutes, `None` means "not given". Node sets and core sets are integers used as bitmaps: bit i of a node mask is
the node with index i, bit i of a core mask is core i of that node.
"""

from immutables import Map

from flurm.core.bits import bits_of
from flurm.core.effects import Reply
from flurm.core.job_records import HIGHEST_PRIORITY, Job, ProgramRun
from flurm.core.node_records import Node, Partition, Switch
from flurm.core.record import Record
from flurm.core.trigger_records import Trigger, TriggerEvents


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
