"""Whether a controller may take its place among several: what only matters once there are others.

Programs that read the same file on other machines (clients, node daemons) have neither a place nor certificates, so
load() asks for neither; the controller does when it starts.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from flurm.config.errors import ConfigError
from flurm.config.records import Config, ControllerAddress


class TlsFiles(msgspec.Struct, frozen=True):
    """Paths in PEM: the certificate authority of the cluster, this controller's certificate and its key."""

    ca: str
    certificate: str
    key: str


def tls_files(config: Config) -> TlsFiles | None:
    """What this controller proves itself to the others with; None where it is the only one.

    Raises ConfigError where it is not among `controllers`, where two of them are the same, or a file is not there.
    """
    if len(config.controllers) < 2:
        if not config.raft_bootstrap:
            raise _wrong(config, "expected the others in controllers: they take this one in", "raft_bootstrap", False)
        return None
    _check_place(config)
    for key in ("raft_ca", "raft_certificate", "raft_key"):
        path = getattr(config, key)
        if not os.access(path, os.R_OK):
            raise _wrong(config, f"{_why(path)}; {_remedy(config)}", key, path)
    return TlsFiles(config.raft_ca, config.raft_certificate, config.raft_key)


def _check_place(config: Config) -> None:
    own = config.own_address
    if own is None:
        here = f"{config.slurmctld_host}:{config.slurmctld_port}"
        expected = (
            f"expected this controller among them: an entry with its slurmctld_host and slurmctld_port ({here}) "
            f"or its controller_name ({config.controller_name})"
        )
        raise _wrong(config, expected, "controllers", _shown(config.controllers))
    if own.raft_port not in (0, config.raft_port):
        expected = f"expected the raft_port that stands for this controller in controllers ({own.raft_port})"
        raise _wrong(config, expected, "raft_port", config.raft_port)
    members = config.members()
    if len(members) < len(config.controllers) or len(set(members.values())) < len(members):
        expected = "expected another name and another address for each"
        raise _wrong(config, expected, "controllers", _shown(config.controllers))


def _shown(controllers: tuple[ControllerAddress, ...]) -> str:
    return ", ".join(f"{each.name or '-'} {each.host}:{each.port}" for each in controllers)


def _why(path: str) -> str:
    return "this user may not read it" if Path(path).exists() else "there is no such file"


def _remedy(config: Config) -> str:
    """The command that makes what is missing."""
    names = " ".join(config.members())
    cluster = f"--cluster {config.cluster_name} " if config.cluster_name != Config().cluster_name else ""
    return (
        f"make certificates for all controllers with `flurm cert bootstrap {cluster}DIR {names}` and copy "
        f"DIR/{config.member_name}/*.pem to {Path(config.raft_certificate).parent}"
    )


def _wrong(config: Config, expected: str, key: str, value: object) -> ConfigError:
    return ConfigError(expected, file=config.source or "defaults", key=key, value=value)
