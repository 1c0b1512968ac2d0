"""What a plugin is, and those that need no script.

A plugin looks at a `Case` and returns a `Verdict`, whose number refuses the request where it is not 0; it may change
the job on its way. `messages` collects what the user is to be told.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec
import structlog

from flurm.bridge.context import Context
from flurm.bridge.hooks import CONSTANTS, JobView
from flurm.core.job_records import Job

__all__ = ["AllPartitions", "Case", "Logging", "Plugin", "RequireTimeLimit"]

log = structlog.get_logger(__name__)


class Case(msgspec.Struct):
    """One request: the job as asked for, and the job that it changes, None where it is a new one."""

    view: JobView
    context: Context
    job: Job | None
    messages: list[str] = msgspec.field(default_factory=list)

    @property
    def user_id(self) -> int:
        """Whose job it is."""
        return self.job.spec.user_id if self.job is not None else int(self.view.get("user_id"))


class Plugin(Protocol):
    """One of JobSubmitPlugins."""

    def look(self, case: Case) -> int:
        """0, or the number that refuses the request."""
        ...


class AllPartitions:
    """all_partitions: a job that names no partition is for all of them."""

    def look(self, case: Case) -> int:
        """Name all partitions."""
        if case.job is None and not case.view.get("partition"):
            case.view.set("partition", ",".join(case.context.cluster.partitions) or None)
        return 0


class RequireTimeLimit:
    """require_timelimit: a job has to say how long it may run."""

    def look(self, case: Case) -> int:
        """Refuse a job without a limit, and a change to none."""
        none = CONSTANTS["NO_VAL"] if case.job is None else CONSTANTS["INFINITE"]
        return CONSTANTS["ESLURM_MISSING_TIME_LIMIT"] if case.view.get("time_limit") == none else 0


class Logging:
    """logging: every request leaves a line in the log."""

    def look(self, case: Case) -> int:
        """Log who asks for what."""
        said: dict[str, Any] = {name: case.view.get(name) for name in ("name", "partition", "account", "time_limit")}
        log.info("job submitted" if case.job is None else "job changed", uid=case.context.uid, **said)
        return 0
