"""Observation: nothing here may disturb what it observes."""

from flurm.otp import ONE_FOR_ONE, Child, Supervisor

SPEC = Supervisor(
    strategy=ONE_FOR_ONE,
    intensity=10,
    period_s=60,
    children=(
        Child("flurm_prometheus_exporter", "actors.prometheus_exporter:PrometheusExporter"),
        Child("flurm_tracer", "actors.tracer:Tracer"),
        Child("flurm_health_checker", "actors.health_checker:HealthChecker"),
    ),
)
