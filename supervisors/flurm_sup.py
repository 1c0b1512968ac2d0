"""The root: its children are independent of each other, so only who fails is restarted."""

from flurm.otp import ONE_FOR_ONE, Child, Supervisor

SPEC = Supervisor(
    strategy=ONE_FOR_ONE,
    intensity=10,
    period_s=60,
    children=(
        Child("flurm_protocol_sup", "supervisors.flurm_protocol_sup:SPEC"),
        Child("flurm_core_sup", "supervisors.flurm_core_sup:SPEC"),
        Child("flurm_scheduler_sup", "supervisors.flurm_scheduler_sup:SPEC"),
        Child("flurm_metrics_sup", "supervisors.flurm_metrics_sup:SPEC"),
    ),
)
