"""The configuration's files on the wire: the answer to REQUEST_CONFIG, and what a reconfigure tells node daemons."""

from __future__ import annotations

from flurm.config.configless import ConfigFiles, ServedFile
from protocol import messages as wire
from protocol.constants import ConfigRequestFlag, MessageType
from protocol.schema import Record

__all__ = ["response", "tidings", "tidings_for_sackd"]


def response(files: ConfigFiles, version: int, flags: int) -> wire.ConfigResponse:
    """The answer to who asks for the files: a client, or by `flags` a node daemon or a sackd."""
    is_slurmd = bool(flags & ConfigRequestFlag.SLURMD)
    served = files.for_version(version, for_client=not is_slurmd)
    return wire.ConfigResponse([_file(each) for each in served], files.spool_dir)


def tidings_for_sackd(files: ConfigFiles, version: int) -> tuple[MessageType, Record]:
    """What a sackd is told when the configuration has changed."""
    served = [_file(each) for each in files.for_version(version, for_client=True)]
    return MessageType.REQUEST_RECONFIGURE_SACKD, wire.ConfigResponse(served, None)


def tidings(files: ConfigFiles | None, version: int) -> tuple[MessageType, Record | None]:
    """What a node daemon is told when the configuration has changed: with the files where they are served, as
    slurmctld does whether or not that daemon got its own from there."""
    if files is None:
        return MessageType.REQUEST_RECONFIGURE, None
    served = [_file(each) for each in files.for_version(version, for_client=False)]
    return MessageType.REQUEST_RECONFIGURE_WITH_CONFIG, wire.ConfigResponse(served, None)


def _file(each: ServedFile) -> wire.ConfigFile:
    return wire.ConfigFile(
        exists=each.text is not None, execute=each.executable, file_name=each.name, file_content=each.text
    )
