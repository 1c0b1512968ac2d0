"""scontrol: look at and change everything. Each command word has its function here; layouts and updates live beside."""

from __future__ import annotations

import time
from collections.abc import Callable

from flurm.client.connection import Controller
from flurm.client.errors import CommandError, Refused
from flurm.client.options import UsageError, flag, parse, takes
from flurm.client.scontrol_jobs import JOB_COMMANDS
from flurm.client.scontrol_show import Settings, ping, show
from flurm.client.scontrol_update import understand
from flurm.config.show_fields import DEBUG_FLAGS
from protocol.constants import MessageType
from protocol.messages import (
    JobDescription,
    JobIdRequest,
    JobInfoResponse,
    NodeUpdate,
    SetDebugFlags,
    SetDebugLevel,
    ShutdownRequest,
)

__all__ = ["OPTIONS", "run"]

OPTIONS = (
    flag("all", "a"),
    takes("clusters", "M", "clusters", "cluster"),
    flag("details", "d"),
    flag("federation", "F"),
    flag("future", "F"),
    flag("help", "h"),
    flag("hide", ""),
    flag("json", ""),
    flag("local", ""),
    flag("oneliner", "o"),
    flag("quiet", "Q"),
    flag("sibling", ""),
    takes("uid", "u"),
    flag("verbose", "v"),
    flag("version", "V"),
)
_LEVELS = ("quiet", "fatal", "error", "info", "verbose", "debug", "debug2", "debug3", "debug4", "debug5")


def run(argv: list[str], controller: Callable[[], Controller]) -> int:
    """Carry the command out and return the exit status."""
    given, words = parse("scontrol", OPTIONS, argv, operands_end=True)
    named = dict(given)
    while words and words[0].startswith("--"):
        raise UsageError(f"scontrol: unrecognized option '{words[0]}'")
    settings = Settings("oneliner" in named, "details" in named, "all" in named, "json" in named)
    for word in ("oneliner", "details", "all"):
        if words[:1] == [word]:
            words.pop(0)
    if "version" in named or words[:1] == ["version"]:
        from flurm.client.version import VERSION_TEXT

        print(VERSION_TEXT)
        return 0
    if not words or "help" in named or words[0] == "help":
        from flurm.client.help import help_text

        print(help_text("scontrol"))
        return 0
    name, *rest = words
    return _dispatch(name, rest, settings, controller)


def _dispatch(name: str, words: list[str], settings: Settings, controller: Callable[[], Controller]) -> int:
    lowered = name.lower()
    if lowered == "show":
        return show(words, settings, controller)
    if lowered in JOB_COMMANDS:
        least, function = JOB_COMMANDS[lowered]
        if len(words) < least:
            raise CommandError(f"too few arguments for keyword:{name}")
        return function(words, controller())
    if lowered in _COMMANDS:
        return _COMMANDS[lowered](words, controller)
    raise CommandError(f"invalid keyword: {name}")


def _reconfigure(words: list[str], controller: Callable[[], Controller]) -> int:
    return _simple(controller(), MessageType.REQUEST_RECONFIGURE, None, "slurm_reconfigure error")


def _shutdown(words: list[str], controller: Callable[[], Controller]) -> int:
    only = 2 if words[:1] in (["slurmctld"], ["controller"]) else 0
    return _simple(controller(), MessageType.REQUEST_SHUTDOWN, ShutdownRequest(options=only), "slurm_shutdown error")


def _setdebug(words: list[str], controller: Callable[[], Controller]) -> int:
    if not words:
        raise CommandError("too few arguments for keyword:setdebug")
    word = words[0].lower()
    if word not in _LEVELS and not (word.isdigit() and int(word) < len(_LEVELS)):
        raise CommandError(f"invalid debug level: {words[0]}")
    level = int(word) if word.isdigit() else _LEVELS.index(word)
    record = SetDebugLevel(debug_level=level)
    return _simple(controller(), MessageType.REQUEST_SET_DEBUG_LEVEL, record, "slurm_set_debug_level error")


def _setdebugflags(words: list[str], controller: Callable[[], Controller]) -> int:
    """`setdebugflags +FLAG -FLAG ...`: each word sets or clears one."""
    if not words:
        raise CommandError("too few arguments for keyword:setdebugflags")
    by_name = {name.lower(): bit for name, bit in DEBUG_FLAGS.items()}
    masks = {"+": 0, "-": 0}
    for word in words:
        bits = [by_name.get(name) for name in word[1:].lower().split(",")]
        if word[0] not in masks or None in bits:
            raise CommandError(f"invalid debug flag: {word}")
        for bit in bits:
            masks[word[0]] |= bit or 0
    record = SetDebugFlags(debug_flags_plus=masks["+"], debug_flags_minus=masks["-"])
    return _simple(controller(), MessageType.REQUEST_SET_DEBUG_FLAGS, record, "slurm_set_debug_flags error")


def _schedloglevel(words: list[str], controller: Callable[[], Controller]) -> int:
    if not words:
        raise CommandError("too few arguments for keyword:schedloglevel")
    levels = {"disable": 0, "0": 0, "enable": 1, "1": 1}
    if words[0].lower() not in levels:
        raise CommandError(f"invalid schedlog level: {words[0]}")
    record = SetDebugLevel(debug_level=levels[words[0].lower()])
    return _simple(controller(), MessageType.REQUEST_SET_SCHEDLOG_LEVEL, record, "slurm_set_schedlog_level error")


def _simple(controller: Controller, msg_type: MessageType, record: object, failure: str) -> int:
    try:
        controller.ask(msg_type, record)  # type: ignore[arg-type]
    except Refused as error:
        raise CommandError(f"{failure}: {error}") from error
    return 0


def _update(words: list[str], controller: Callable[[], Controller]) -> int:
    if not words:
        raise CommandError("too few arguments for keyword:update")
    change = understand(words, time.time())
    record = change.record
    if isinstance(record, JobDescription):
        from flurm.client.scontrol_jobs import change_jobs

        if change.time_shift:
            record.time_limit = _shifted(record.job_id_str or "", change.time_shift, controller())
        return change_jobs(record, controller())
    kind = MessageType.REQUEST_UPDATE_NODE if isinstance(record, NodeUpdate) else MessageType.REQUEST_UPDATE_PARTITION
    return _simple(controller(), kind, record, "slurm_update error")


def _create(words: list[str], controller: Callable[[], Controller]) -> int:
    """create nodename=...: the words go to the controller as one line."""
    if not words or not words[0].lower().startswith("nodename="):
        raise CommandError(f"scontrol: error: Invalid creation entity: {' '.join(words[:1])}")
    record = NodeUpdate(extra=" ".join(words))
    return _nodes(controller(), MessageType.REQUEST_CREATE_NODE, record, "Error creating the node(s)")


def _delete(words: list[str], controller: Callable[[], Controller]) -> int:
    """delete nodename=..."""
    key, _, names = words[0].partition("=") if words else ("", "", "")
    if key.lower() != "nodename":
        raise CommandError(f"scontrol: error: Invalid deletion entity: {' '.join(words[:1])}")
    record = NodeUpdate(node_names=names)
    return _nodes(controller(), MessageType.REQUEST_DELETE_NODE, record, f"delete_node {words[0]}")


def _nodes(controller: Controller, msg_type: MessageType, record: NodeUpdate, failure: str) -> int:
    try:
        controller.ask(msg_type, record)
    except Refused as error:
        said = f"scontrol: error: {error.message}\n" if error.message else ""
        raise CommandError(f"{said}{failure}: {error}") from error
    return 0


def _shifted(job_id: str, shift: int, controller: Controller) -> int:
    try:
        number = int(job_id.partition("_")[0])
        found = controller.fetch(
            JobInfoResponse, MessageType.REQUEST_JOB_INFO_SINGLE, JobIdRequest(job_id=number, show_flags=1)
        ).jobs
    except (Refused, ValueError) as error:
        raise CommandError(f"{error} for job {job_id}") from error
    return max(found[0].time_limit + shift, 1)


_COMMANDS: dict[str, Callable[[list[str], Callable[[], Controller]], int]] = {
    "create": _create,
    "delete": _delete,
    "ping": ping,
    "reconfig": _reconfigure,
    "reconfigure": _reconfigure,
    "schedloglevel": _schedloglevel,
    "setdebug": _setdebug,
    "setdebugflags": _setdebugflags,
    "shutdown": _shutdown,
    "update": _update,
}
