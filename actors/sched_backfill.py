"""The scheduler plugin process of the backfill policy; see flurm/sched/backfill.py for what it decides."""

from actors.sched_plugin import SchedulerPlugin
from flurm.sched.policies import Backfill


class SchedBackfill(SchedulerPlugin):
    """Runs the backfill policy."""

    policy_class = Backfill
