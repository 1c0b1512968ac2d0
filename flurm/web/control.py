"""Who may change anything: whoever reaches the unix socket, which the file system keeps for FLURM's own user."""

from starlette.requests import Request


def is_control(request: Request) -> bool:
    """Whether the request came over the unix socket: its peer has no address."""
    return request.client is None or not request.client.host
