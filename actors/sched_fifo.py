"""The scheduler plugin process of the fifo policy; see flurm/sched/fifo.py for what it decides."""

from actors.sched_plugin import SchedulerPlugin
from flurm.sched.policies import Fifo


class SchedFifo(SchedulerPlugin):
    """Runs the fifo policy."""

    policy_class = Fifo
