"""Core managers. Each depends on those before it: rest_for_one."""

from flurm.otp import REST_FOR_ONE, Child, Supervisor

SPEC = Supervisor(
    strategy=REST_FOR_ONE,
    intensity=10,
    period_s=60,
    children=(
        Child("flurm_consensus", "actors.consensus:Consensus", shutdown_ms=10_000),
        Child("flurm_state_manager", "actors.state_manager:StateManager"),
        Child("flurm_job_manager", "actors.job_manager:JobManager"),
        Child("flurm_node_manager", "actors.node_manager:NodeManager"),
        Child("flurm_partition_manager", "actors.partition_manager:PartitionManager"),
        Child("flurm_queue_manager", "actors.queue_manager:QueueManager"),
    ),
)
