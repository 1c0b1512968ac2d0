"""Where controllers of different releases decide differently: one function per difference, by the release that asks.

FLURM serves clients of all releases at once and answers each as the controller of its release would, where that costs
nothing. What only reads differently belongs to the `show_` modules; here is what is taken or refused. Seen were 22.05
and 24.11; where between them a difference began is not known, and 23.02 is taken for it.
"""

from __future__ import annotations

from protocol.versions import Version

__all__ = ["refuses_what_never_fits"]


def refuses_what_never_fits(version: int) -> bool:
    """Whether a submission is refused that is larger than its partitions, or depends on a job that never was.

    22.05 takes both and lets them wait (PartitionConfig, PartitionNodeLimit, Dependency).
    """
    return version >= Version.V23_02
