"""Which of the other controllers are away, for triggers that wait for a backup to fail or to come back."""

from __future__ import annotations

from typing import Any

from flurm.config.records import Config
from flurm.core.records import Cluster
from flurm.core.trigger_records import TriggerKind

AWAY_S = 5.0
"""A controller that was not heard for so long is away; each says something every second."""
_KINDS = TriggerKind.BU_CTLD_FAIL | TriggerKind.BU_CTLD_RES_OP


def away(cluster: Cluster, config: Config, peers: Any) -> frozenset[str] | None:
    """Names of the backups that are away: all controllers but this one and the first of the configuration. None where
    no trigger waits for any, or there are none."""
    if peers is None or not any(trigger.kind & _KINDS for trigger in cluster.triggers.values()):
        return None
    return frozenset(
        name
        for name, status in peers.status().items()
        if name != config.primary_name and (status.heard_s_ago is None or status.heard_s_ago > AWAY_S)
    )


def kinds_of(before: frozenset[str] | None, now: frozenset[str] | None) -> TriggerKind:
    """What a change of that is to those who wait for it; nothing where it was not known before."""
    found = TriggerKind(0)
    if before is not None and now is not None:
        found |= TriggerKind.BU_CTLD_FAIL if now - before else found
        found |= TriggerKind.BU_CTLD_RES_OP if before - now else found
    return found
