"""Request handlers of the node daemon, all on one listener; one that fails takes its one request along."""

from flurm.otp import SIMPLE_ONE_FOR_ONE, Child, Supervisor

SPEC = Supervisor(
    strategy=SIMPLE_ONE_FOR_ONE,
    intensity=1000,
    period_s=10,
    children=(Child("flurmd_handler", "actors.node_daemon.handler:Handler", shutdown_ms=5000),),
)
