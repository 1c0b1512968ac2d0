"""Scheduler plugins, each started under its name: fifo, backfill, fairshare and a site's own."""

from flurm.otp import SIMPLE_ONE_FOR_ONE, Child, Supervisor

SPEC = Supervisor(
    strategy=SIMPLE_ONE_FOR_ONE,
    intensity=10,
    period_s=60,
    children=(Child("flurm_sched_plugin", "actors.sched_plugin:SchedulerPlugin"),),
)
