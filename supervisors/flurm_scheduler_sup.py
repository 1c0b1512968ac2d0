"""The scheduler: engine and plugins fail apart from each other."""

from flurm.otp import ONE_FOR_ONE, Child, Supervisor

SPEC = Supervisor(
    strategy=ONE_FOR_ONE,
    intensity=10,
    period_s=60,
    children=(
        Child("flurm_scheduler_engine", "actors.scheduler_engine:SchedulerEngine"),
        Child("flurm_sched_plugin_sup", "supervisors.flurm_sched_plugin_sup:SPEC"),
    ),
)
