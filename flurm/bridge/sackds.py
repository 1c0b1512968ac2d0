"""Auth daemons on login nodes (sackd) that have fetched their files here, so that they hear of a new configuration.

Known are those that have asked this controller since it started: a sackd asks once, when it starts, so after a restart
of the controller it is told again only when it has asked again.
"""

from __future__ import annotations

from protocol.messages import ConfigRequest

__all__ = ["Sackds"]


class Sackds:
    """Address and port of each, with the protocol version that it asked in. Written by connection handlers."""

    def __init__(self) -> None:
        self._versions: dict[tuple[str, int], int] = {}

    def note(self, host: str, request: ConfigRequest, version: int, slurmd_port: int) -> None:
        """One has asked; until 24.11 they do not say where they listen: at SlurmdPort."""
        self._versions[host, request.port or slurmd_port] = version

    def known(self) -> list[tuple[tuple[str, int], int]]:
        """Each with its version."""
        return list(self._versions.items())
