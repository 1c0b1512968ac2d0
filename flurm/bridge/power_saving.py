"""`scontrol update SuspendExcNodes|SuspendExcParts|SuspendExcStates=`: what is not to be powered down.

Nothing is powered down here, so there is nothing to do but to show the list; the next reconfiguration brings back what
slurm.conf says. As in slurmctld names are not looked up.
"""

from __future__ import annotations

from flurm.bridge.calls import Control, Mapped
from flurm.bridge.context import Context
from flurm.core.effects import Rejected
from flurm.core.enums import Refusal
from flurm.core.outcome import is_operator
from protocol.field_constants import UpdateMode
from protocol.messages import SuspendExcUpdate

__all__ = ["exclude_nodes", "exclude_partitions", "exclude_states"]


def exclude_nodes(record: SuspendExcUpdate, context: Context) -> Mapped:
    """REQUEST_SET_SUSPEND_EXC_NODES."""
    return _update("SuspendExcNodes", record, context)


def exclude_partitions(record: SuspendExcUpdate, context: Context) -> Mapped:
    """REQUEST_SET_SUSPEND_EXC_PARTS."""
    return _update("SuspendExcParts", record, context)


def exclude_states(record: SuspendExcUpdate, context: Context) -> Mapped:
    """REQUEST_SET_SUSPEND_EXC_STATES."""
    return _update("SuspendExcStates", record, context)


def _update(key: str, record: SuspendExcUpdate, context: Context) -> Mapped:
    if not is_operator(context.cluster, context.uid):
        return Rejected(Refusal.PERMISSION)
    before = _words(context.config.slurm.get(key))
    given = _words(record.update_str)
    match record.mode:
        case UpdateMode.ADD:
            words = [*before, *(word for word in given if word not in before)]
        case UpdateMode.REMOVE:
            words = [word for word in before if word not in given]
        case _:
            words = given
    return Control("show", context.uid, {"key": key, "text": ",".join(words)})


def _words(text: str | None) -> list[str]:
    return [word for word in (text or "").split(",") if word]
