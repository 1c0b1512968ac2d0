"""Progress, supervisor, crash and overload reports, with the fields that OTP gives them, as log events.

The shape is OTP's (`proc_lib` and `supervisor`), so that who knows one knows the other: a supervisor report names its
supervisor, the context, the reason and the offender with its whole specification; a crash report describes the process
and its neighbours; a server's own report shows its last message and its state as `format_status` does.
"""

from __future__ import annotations

from typing import Any

import structlog

from flurm.otp.errors import describe

_log = structlog.get_logger("flurm.otp")
SHOWN_MESSAGES = 10


def crash(process: Any, reason: Any) -> None:
    """A process died of something other than an orderly reason."""
    _log.error(
        "process crashed",
        report="crash",
        initial_call=process.module.module_name(),
        pid=str(process.pid),
        registered_name=process.name,
        error_info=describe(reason),
        traceback=getattr(reason, "traceback", None),
        ancestors=[repr(above) for above in process.ancestors],
        message_queue_len=process.mailbox,
        links=[repr(other) for other in process.links],
        monitors=len(process.watching),
        trap_exit=process.trapping,
        status="starting" if process.starting else "running",
        handled=process.handled,
        neighbours=[_neighbour(other) for other in process.links if other is not process.parent],
    )


def terminated(process: Any, reason: Any) -> None:
    """A server's own account of its end."""
    _log.error(
        "server terminating",
        report="terminate",
        label=("gen_server", "terminate"),
        name=repr(process),
        last_message=_short(process.last_message),
        state=_short(process.module.shown(process.state)),
        reason=describe(reason),
        log=list(process.debug.log)[-SHOWN_MESSAGES:] if process.debug is not None and process.debug.log else [],
    )


def supervisor(name: str, context: str, reason: Any, spec: Any, pid: Any) -> None:
    """`context` is OTP's: start_error, child_terminated, shutdown_error, shutdown."""
    _log.error(
        "supervisor report",
        report="supervisor",
        supervisor=name,
        error_context=context,
        reason=describe(reason),
        offender=offender(spec, pid),
    )


def progress(name: str, spec: Any, pid: Any, *, restarted: bool) -> None:
    """A child was started; told louder when it was started again."""
    log = _log.info if restarted else _log.debug
    log("progress", report="progress", supervisor=name, started=offender(spec, pid), restarted=restarted)


def overloaded(process: Any, waiting: int) -> None:
    """A mailbox is longer than its bound."""
    _log.warning("mailbox too long", process=repr(process), pid=str(process.pid), waiting=waiting)


def offender(spec: Any, pid: Any) -> dict[str, Any]:
    """A child specification in the words of OTP's reports."""
    return {
        "pid": str(pid),
        "id": spec.id,
        "mfargs": (spec.start if isinstance(spec.start, str) else repr(spec.start), sorted(spec.args)),
        "restart_type": spec.restart,
        "significant": spec.significant,
        "shutdown": spec.deadline_ms,
        "child_type": spec.kind,
    }


def _neighbour(process: Any) -> dict[str, Any]:
    return {
        "pid": str(process.pid),
        "registered_name": process.name,
        "initial_call": process.module.module_name(),
        "status": process.status,
        "message_queue_len": process.mailbox,
        "trap_exit": process.trapping,
    }


def _short(value: Any, limit: int = 1000) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[:limit] + "..."
