"""The node daemon's root. Its children are independent: who fails is started again and asks the others for what it
needs to know."""

from flurm.otp import ONE_FOR_ONE, Child, Supervisor

SPEC = Supervisor(
    strategy=ONE_FOR_ONE,
    intensity=10,
    period_s=60,
    children=(
        Child("flurmd_steps", "actors.node_daemon.steps:Steps", shutdown_ms=10_000),
        Child("flurmd_reporter", "actors.node_daemon.reporter:Reporter"),
        Child("flurmd_registrar", "actors.node_daemon.registrar:Registrar", shutdown_ms=15_000),
        Child("flurmd_handler_pool", "supervisors.flurmd_handler_pool:SPEC"),
    ),
)
