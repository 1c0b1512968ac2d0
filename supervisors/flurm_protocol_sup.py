"""The protocol: handlers work with what decoder and encoder hand out, so all are restarted together."""

from flurm.otp import ONE_FOR_ALL, Child, Supervisor

SPEC = Supervisor(
    strategy=ONE_FOR_ALL,
    intensity=10,
    period_s=60,
    children=(
        Child("flurm_acceptor_pool", "supervisors.flurm_acceptor_pool:SPEC"),
        Child("flurm_protocol_decoder", "actors.protocol_decoder:ProtocolDecoder"),
        Child("flurm_protocol_encoder", "actors.protocol_encoder:ProtocolEncoder"),
    ),
)
