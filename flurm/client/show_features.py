"""`scontrol show licenses` and `show topology`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from flurm.client.connection import Controller
from flurm.client.errors import CommandError, Refused
from protocol.constants import MessageType, ShowFlag
from protocol.hostlist import HostlistError, expand
from protocol.messages import (
    LicenseInfo,
    LicenseInfoRequest,
    LicenseInfoResponse,
    TopologyInfoRequest,
    TopologyInfoResponse,
    TopologySwitch,
)

__all__ = ["licenses", "topology"]


def licenses(which: str | None, controller: Controller, *, one_line: bool) -> int:
    """Print all licenses or the one named; the exit status."""
    asked = LicenseInfoRequest(show_flags=int(ShowFlag.ALL))
    try:
        found = controller.fetch(LicenseInfoResponse, MessageType.REQUEST_LICENSE_INFO, asked).lic
    except Refused as error:
        raise CommandError(f"slurm_load_licenses error: {error}") from error
    if not found:
        print("No licenses configured in Slurm.")
    for each in found:
        if which in (None, each.lic_array_name):
            print((" " if one_line else "\n    ").join(_license_lines(each)))
    return 0


def _license_lines(each: LicenseInfo) -> Iterator[str]:
    total, used, reserved = each.lic_array_total, each.lic_array_in_use, each.lic_array_reserved
    free = max(0, total - used - reserved)
    yield f"LicenseName={each.lic_array_name}"
    remote = "yes" if each.lic_array_remote else "no"
    yield f"Total={total} Used={used} Free={free} Reserved={reserved} Remote={remote}"


def topology(which: str | None, controller: Controller) -> int:
    """Print all switches, the one named, or those that reach the node named; the exit status."""
    try:
        shown = controller.fetch(TopologyInfoResponse, MessageType.REQUEST_TOPO_INFO, TopologyInfoRequest())
    except Refused as error:
        raise CommandError(f"slurm_load_topo error: {error}") from error
    switches = shown.topo_info.switches
    if not switches:
        print("scontrol: error: No topology information available", file=sys.stderr)
        return 0
    found = [each for each in switches if which in (None, each.name)]
    found = found or [each for each in switches if which in _nodes(each)]
    for each in found:
        print(_switch_line(each))
    if not found:
        print(f"scontrol: error: Topology information contains no switch or node named {which}", file=sys.stderr)
    return 0


def _nodes(switch: TopologySwitch) -> list[str]:
    try:
        return expand(switch.nodes or "")
    except HostlistError:
        return []


def _switch_line(each: TopologySwitch) -> str:
    line = f"SwitchName={each.name} Level={each.level} LinkSpeed={each.link_speed}"
    line += f" Nodes={each.nodes}" if each.nodes else ""
    return line + (f" Switches={each.switches}" if each.switches else "")
