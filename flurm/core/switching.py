"""Where a job goes in a tree of switches: below the lowest switch that has room, on as few leaf switches as will do.

`attempts` gives masks of candidate nodes, the best first; whoever places a job takes the first that it fits into. As
topology/tree of Slurm does: of the switches with enough free nodes the lowest counts, of those on one level the one
with the fewest. Below a higher switch leaf switches with the most free nodes come first. Jobs never span switches that
no common one connects.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from flurm.core.names import BadNodeList, expand
from flurm.core.node_records import Switch


class Reach(NamedTuple):
    """A switch by the nodes that it connects: its level, their mask, and the masks of the leaf switches below it."""

    level: int
    nodes: int
    leaves: tuple[int, ...]


@lru_cache(maxsize=4)
def reaches(switches: tuple[Switch, ...], node_order: tuple[str, ...]) -> tuple[Reach, ...]:
    """Every switch that connects any of these nodes, in the order of the configuration."""
    index = {name: number for number, name in enumerate(node_order)}
    masks = {each.name: _mask(each.nodes, index) for each in switches}
    leaves = [masks[each.name] for each in switches if each.level == 0]
    return tuple(
        Reach(each.level, masks[each.name], tuple(leaf for leaf in leaves if leaf and not leaf & ~masks[each.name]))
        for each in switches
        if masks[each.name]
    )


def _mask(text: str, index: dict[str, int]) -> int:
    try:
        names = expand(text)
    except BadNodeList:
        return 0
    mask = 0
    for name in names:
        if name in index:
            mask |= 1 << index[name]
    return mask


def attempts(
    switches: tuple[Reach, ...], candidates: int, required: int, min_nodes: int, most_leaves: int = 0
) -> Iterator[int]:
    """Masks of candidates to try one after the other. `most_leaves`: leaf switches that may be used, 0 for any."""
    everything = 0
    rooms = []
    for place, switch in enumerate(switches):
        everything |= switch.nodes
        here = candidates & switch.nodes
        if not required & ~here and here.bit_count() >= min_nodes:
            rooms.append((switch.level, here.bit_count(), place, here, switch.leaves))
    for level, _, _, here, leaves in sorted(rooms):
        if level == 0:
            yield here
        else:
            yield from _growing([leaf & here for leaf in leaves], required, min_nodes, most_leaves)
    unconnected = candidates & ~everything
    if unconnected and not most_leaves and not required & ~unconnected:
        yield unconnected


def _growing(leaves: list[int], required: int, min_nodes: int, most_leaves: int) -> Iterator[int]:
    """More and more leaf switches, those with required nodes first, then the largest."""
    leaves = [leaf for leaf in leaves if leaf]
    leaves.sort(key=lambda leaf: (not leaf & required, -leaf.bit_count()))
    mask = 0
    for count, leaf in enumerate(leaves, 1):
        if most_leaves and count > most_leaves:
            return
        mask |= leaf
        if count > 1 and not required & ~mask and mask.bit_count() >= min_nodes:
            yield mask
