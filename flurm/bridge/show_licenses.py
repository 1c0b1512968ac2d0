"""Licenses as clients see them: `scontrol show licenses`."""

from __future__ import annotations

from flurm.core import licenses
from flurm.core.records import Cluster
from protocol.messages import LicenseInfo, LicenseInfoResponse

__all__ = ["response"]


def response(cluster: Cluster, now_s: int) -> LicenseInfoResponse:
    """Every license that is configured, and what jobs hold of it, in the order of their names."""
    held = licenses.used(cluster) if cluster.settings.licenses else {}
    shown = [
        LicenseInfo(lic_array_name=name, lic_array_total=total, lic_array_in_use=held.get(name, 0))
        for name, total in sorted(licenses.parse(cluster.settings.licenses).items())
    ]
    return LicenseInfoResponse(len(shown), now_s, shown)
