"""Versions of the replicated state machine: what `apply` does may only change on all controllers at the same entry.

A release that applies a command otherwise than the one before it (another rule, another order, another default) would
let controllers of both releases drift apart. So it brings a new version with it. The cluster goes on with the version
in force (`Cluster.machine_version`) until every controller can do the new one; then the leader writes a MACHINE_VERSION
entry, and from the next entry on the new version counts, on every controller and whenever the log is replayed.

To change what `apply` does:

1. give `VERSIONS` the next number, with the `rules` that are new or different, by command; the module that holds the
   old rule keeps it beside the new one. Where only a detail differs, a rule may ask `cluster.machine_version` instead.
2. a `migrate` function turns the state over at the switch, where the new version wants it otherwise.
3. who proposes a command, or a field of one, that came with version n looks first whether
   `cluster.machine_version >= n`: controllers that are older cannot read it.
4. a version may be taken out, with its rules, when no cluster is supposed to come from it any more: `VERSIONS` then
   begins with a later one, and older clusters are refused.

There has been no release yet: until the first one, all of this is version 1.

What does not touch `apply` (the scheduler, the wire, everything in actors) needs no version: there the leader decides.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from flurm.core.outcome import Outcome
from flurm.core.records import Cluster

Rule = Callable[[Cluster, Any], Outcome]


def _as_it_is(cluster: Cluster) -> Cluster:
    return cluster


class Version(msgspec.Struct, frozen=True):
    """What differs from the version before: rules by command, and what happens to the state at the switch."""

    rules: dict[type[msgspec.Struct], Rule] = {}
    migrate: Callable[[Cluster], Cluster] = _as_it_is


VERSIONS: dict[int, Version] = {1: Version()}
"""By number, without gaps. Version 1 is `flurm.core.apply.RULES` alone."""


class Unsupported(msgspec.DecodeError):
    """The state or the log is of a machine version that this release does not know; the text says what to do."""


def supported() -> tuple[int, int]:
    """The oldest and the newest version that this release can do."""
    return min(VERSIONS), max(VERSIONS)


def check(version: int, known: tuple[int, int] | None = None) -> None:
    """Raises Unsupported where `version` is not among the `known` ones, which are this release's own if not given."""
    oldest, newest = known or supported()
    if not oldest <= version <= newest:
        advice = "a newer release, the one of the other controllers" if version > newest else "a release between"
        raise Unsupported(
            f"the cluster's state machine is at version {version}, this release knows "
            f"{oldest} to {newest}: run {advice}"
        )


def later_rule(version: int, command: type[msgspec.Struct]) -> Rule | None:
    """The rule that a version later than the first one has for a command; None where the first one's counts."""
    for number in range(version, 1, -1):
        known = VERSIONS.get(number)
        if known is not None and command in known.rules:
            return known.rules[command]
    return None


def switch(cluster: Cluster, version: int) -> Cluster:
    """The cluster from a switch to `version` on; one to a version that is not later changes nothing.

    Raises Unsupported.
    """
    if version <= cluster.machine_version:
        return cluster
    check(version)
    for number in range(cluster.machine_version + 1, version + 1):
        if number in VERSIONS:
            cluster = VERSIONS[number].migrate(cluster)
    return cluster.with_(machine_version=version, version=cluster.version + 1)
