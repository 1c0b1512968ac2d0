"""FLURM's own hook: job_submit.py beside slurm.conf.

    def job_submit(job, partitions, uid): ...
    def job_modify(job, record, partitions, uid): ...

`job` has Slurm's field names as attributes to read and write, `record` and `partitions[name]` are dicts. Returning
None lets the request pass; `raise Refused(code, message)` turns it down. `slurm` (constants, `log_user`) and `Refused`
are there without an import. Any other exception refuses the request and is logged.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import structlog

from actors.net.job_submit.plugins import Case
from flurm.bridge.hooks import CONSTANTS, Refused, job_fields, partitions_for

__all__ = ["PythonHook"]

log = structlog.get_logger(__name__)


class PythonHook:
    """The functions of one file. Raises what reading and running it raises, ValueError where neither is there."""

    def __init__(self, path: Path) -> None:
        self._case: Case | None = None
        slurm = SimpleNamespace(**CONSTANTS, log_user=self._tell, log_info=log.info, log_error=log.error)
        self._names: dict[str, Any] = {
            "__name__": "job_submit",
            "__file__": str(path),
            "slurm": slurm,
            "Refused": Refused,
        }
        exec(compile(path.read_text(), str(path), "exec"), self._names)
        if not {"job_submit", "job_modify"} & self._names.keys():
            raise ValueError(f"{path}: neither job_submit nor job_modify is defined")

    def look(self, case: Case, expired: Callable[[], bool]) -> int:
        """Call the one or the other function."""
        function = self._names.get("job_submit" if case.job is None else "job_modify")
        if function is None:
            return 0
        self._case = case
        partitions = partitions_for(case.context, case.user_id)
        record = () if case.job is None else (job_fields(case.context, case.job),)
        try:
            function(case.view, *record, partitions, case.context.uid)
        except Refused as refused:
            if refused.message:
                case.messages.append(refused.message)
            return refused.code or -1
        return 0

    def _tell(self, text: str) -> None:
        """slurm.log_user: a line for the user."""
        if self._case is not None:
            self._case.messages.append(str(text))
