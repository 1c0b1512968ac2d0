"""A site's configuration files from a controller that serves them (`SlurmctldParameters=enable_configless`)."""

from __future__ import annotations

import os
import time
from pathlib import Path

from actors.net import rpc
from flurm.cli.daemon import DaemonError
from flurm.config import Config, signer_of
from protocol.constants import ConfigRequestFlag, MessageType
from protocol.errors import ProtocolError
from protocol.messages import ConfigRequest, ConfigResponse
from protocol.versions import Version

__all__ = ["fetch"]

PORT = 6817
PATIENCE_S = 60.0
"""How long a controller may take to be there, as in Slurm: at boot all machines of a site come up together."""
_POLL_S = 1.0
_VERSIONS = (Version.V24_11, Version.V24_05, Version.V23_11, Version.V23_02, Version.V22_05)


def fetch(servers: str, directory: Path, *, patience_s: float = PATIENCE_S) -> Path:
    """Write the files of the first controller of `servers` that answers; returns the path of its slurm.conf.

    servers: HOST[:PORT],... Each file appears whole. Raises DaemonError where none serves them in time.
    """
    addresses = [_address(each) for each in servers.split(",")]
    deadline_s = time.monotonic() + patience_s
    while True:
        reasons = []
        for address in addresses:
            try:
                return _write(_ask(address), directory)
            except DaemonError as error:
                reasons.append(str(error))
        if time.monotonic() > deadline_s:
            raise DaemonError("no controller serves its configuration: " + "; ".join(reasons))
        time.sleep(_POLL_S)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.partition(":")
    if port and not port.isdigit():
        raise DaemonError(f"expected HOST[:PORT] after --conf-server, found {text!r}")
    return host, int(port or PORT)


def _ask(address: tuple[str, int]) -> ConfigResponse:
    """The files, asked for in the newest version that the controller speaks. Raises DaemonError."""
    where, problem = f"{address[0]}:{address[1]}", "it speaks no version that we know"
    request = ConfigRequest(flags=ConfigRequestFlag.SLURMD)
    signer = signer_of(Config(state_dir="/var/lib/flurm"))
    for version in _VERSIONS:
        try:
            answer = rpc.call(address, MessageType.REQUEST_CONFIG, request, version=version, signer=signer)
        except rpc.NoAnswer:
            continue
        except (rpc.Unreachable, ProtocolError) as error:
            raise DaemonError(f"{where}: {error}") from error
        if isinstance(answer.body, ConfigResponse):
            return answer.body
        problem = f"it answers {answer.body}; has it SlurmctldParameters=enable_configless?"
    raise DaemonError(f"{where}: {problem}")


def _write(answer: ConfigResponse, directory: Path) -> Path:
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    for each in answer.config_files or ():
        name = Path(each.file_name or "").name
        if not name or not each.exists:
            continue
        draft = directory / f".{name}.{os.getpid()}"
        draft.write_text(each.file_content or "")
        draft.chmod(0o755 if each.execute else 0o644)
        draft.rename(directory / name)
    if not (directory / "slurm.conf").exists():
        raise DaemonError("what the controller sent has no slurm.conf in it")
    return directory / "slurm.conf"
