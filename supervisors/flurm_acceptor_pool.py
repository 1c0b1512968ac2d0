"""Connection handlers, as many as there is work for; one that fails takes its one connection along."""

from flurm.otp import SIMPLE_ONE_FOR_ONE, TRANSIENT, Child, Supervisor

SPEC = Supervisor(
    strategy=SIMPLE_ONE_FOR_ONE,
    intensity=1000,
    period_s=10,
    children=(
        Child(
            "flurm_connection_handler",
            "actors.connection_handler:ConnectionHandler",
            restart=TRANSIENT,
            shutdown_ms=5000,
        ),
    ),
)
