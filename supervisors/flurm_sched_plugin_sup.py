"""Scheduler plugins, started by name: flurm_sched_fifo, flurm_sched_backfill, flurm_sched_fairshare and a site's own."""

from flurm.otp import SIMPLE_ONE_FOR_ONE, Child, Supervisor

SPEC = Supervisor(
    strategy=SIMPLE_ONE_FOR_ONE,
    intensity=10,
    period_s=60,
    children=(Child("flurm_sched_plugin", "actors.sched_plugin:SchedulerPlugin"),),
)
