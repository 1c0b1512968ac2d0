"""The scheduler plugin process of the fairshare policy; see flurm/sched/fairshare.py for what it decides."""

from actors.sched_plugin import SchedulerPlugin
from flurm.sched.policies import Fairshare


class SchedFairshare(SchedulerPlugin):
    """Runs the fairshare policy."""

    policy_class = Fairshare
