"""Packing: the nodes, cores and memory that a demand gets at one moment.

`place` answers for one moment (`Free`) and one set of candidate nodes, as select/cons_tres of Slurm 22.05 does in the
common cases: nodes of lower weight come first; among nodes of one weight the smallest stretch of neighbours that
suffices is used, so that large stretches stay whole; inside it a node that takes all that is left is preferred, else
nodes are filled in order, leaving every later node its minimum. Required nodes are filled before others. Where the
number of nodes is bounded and filling in order would not do, nodes too small to leave a solution are passed over. Cores
are the lowest free ones.

Node counts: `-N 2` takes two, `-N 1-3` three where there are three, without -N as few as the CPUs need.
"""

from bisect import bisect_left

from flurm.core import features
from flurm.core.bits import bits_of
from flurm.core.demand import Demand, features_of, most_cpus
from flurm.core.free import Free, Layout, mask_of
from flurm.core.job_records import Allocation, NodeShare
from flurm.core.record import UNLIMITED
from flurm.core.switching import attempts


def place(demand: Demand, free: Free, candidates: int) -> Allocation | None:
    """The allocation that the demand gets out of these nodes as they are, or None where they do not suffice.

    `candidates` is a mask of eligible nodes (`eligible_for`); nodes outside `free.usable` are left out here. Nothing is
    taken from `free`: that is the caller's `free.take(allocation)`. In a tree of switches see `switching`.
    """
    if not free.layout.switches:
        return _place_in(demand, free, candidates)
    usable = candidates & free.usable & free.with_cores(-(-demand.floor // free.layout.most_threads))
    for mask in attempts(free.layout.switches, usable, demand.required, demand.min_nodes, demand.most_switches):
        found = _place_in(demand, free, mask)
        if found is not None:
            return found
    return None


def _place_in(demand: Demand, free: Free, candidates: int) -> Allocation | None:
    """`place` where all candidates are equally far from each other."""
    most_threads = free.layout.most_threads
    mask = candidates & free.usable & free.with_cores(-(-demand.floor // most_threads))
    if demand.memory_per_node_mib:
        mask &= free.with_memory(demand.memory_per_node_mib)
    elif demand.memory_per_cpu_mib:
        mask &= free.with_memory(demand.memory_per_cpu_mib * demand.floor)
    if demand.required & ~mask or mask.bit_count() < demand.min_nodes:
        return None
    if free.cores_in(mask) * min(demand.threads, most_threads) < demand.cpus:
        return None
    capacities = _Capacities(demand, free)
    if demand.is_plain and most_threads == 1:
        if demand.cpus <= demand.floor and demand.target_nodes == 1:
            return _place_on_one(demand, free, mask)
        chosen = _choose(demand, free, {}, mask, capacities)
        return None if chosen is None else _allocation(demand, free, chosen)
    for variant in features.variants(demand.features):
        chosen = _choose_variant(demand, free, mask, variant, capacities)
        if chosen is not None:
            return _allocation(demand, free, chosen)
    return None


def fits_when_idle(demand: Demand, layout: Layout, candidates: int) -> bool:
    """Whether `place` would find room on these nodes if nothing ran on them, asked by kinds of nodes if possible."""
    variants = features.variants(demand.features)
    if demand.required or demand.contiguous or len(variants) > 1 or variants[0].counts:
        return place(demand, Free.empty(layout), candidates) is not None
    room, cpus, nodes = demand.max_nodes, demand.cpus, demand.min_nodes
    sizes = [(most_cpus(demand, node), (alike & candidates).bit_count()) for node, alike in layout.kinds]
    for size, count in sorted(sizes, reverse=True):
        if size < demand.floor or room <= 0:
            break
        taken = min(count, room)
        cpus, nodes, room = cpus - taken * size, nodes - taken, room - taken
    return cpus <= 0 and nodes <= 0


def capacity(demand: Demand, free: Free, index: int) -> int:
    """CPUs that the node can give to the job's tasks now; 0 where it cannot give the floor."""
    node = free.layout.nodes[index]
    cores = free.core_counts[index]
    memory = free.memory[index]
    threads = node.threads_per_core
    if demand.whole_nodes and cores < node.cores:
        return 0
    if demand.all_memory and memory < node.real_memory_mib:
        return 0
    if demand.tasks_per_socket:
        cores = _spread_over_sockets(demand, free, index).bit_count()
    if demand.memory_per_cpu_mib:
        if demand.whole_nodes:
            if demand.memory_per_cpu_mib * node.cpus > memory:
                return 0
        else:
            cores = min(cores, memory // (demand.memory_per_cpu_mib * threads))
    elif demand.memory_per_node_mib > memory:
        return 0
    cpus = cores * (threads if threads < demand.threads else demand.threads)
    if cpus > demand.ceiling:
        cpus = demand.ceiling
    cpus -= cpus % demand.unit
    return cpus if cpus >= demand.floor else 0


class _Capacities(dict[int, int]):
    """`capacity` by node index, worked out when it is looked at."""

    def __init__(self, demand: Demand, free: Free) -> None:
        self._demand, self._free = demand, free
        self.largest = free.layout.most_cores * free.layout.most_threads

    def __missing__(self, index: int) -> int:
        cpus = self[index] = capacity(self._demand, self._free, index)
        return cpus


def _place_on_one(demand: Demand, free: Free, mask: int) -> Allocation | None:
    """One node that gives all: the first of the shortest stretch of the lowest weight."""
    for group in free.layout.by_weight:
        if mask & group:
            index = _first_of_shortest_stretch(mask & group)
            return Allocation((_share(demand, free, index, demand.floor),))
    return None


def _first_of_shortest_stretch(mask: int) -> int:
    """Index of the first node of the shortest run of set bits."""
    starts = mask & ~(mask << 1)
    if starts & (starts - 1):
        length = 1
        while not (ended := starts & ~(mask >> length)):
            length += 1
        starts = ended
    return (starts & -starts).bit_length() - 1


def _choose_variant(
    demand: Demand, free: Free, mask: int, variant: features.Variant, capacities: _Capacities
) -> dict[int, int] | None:
    """Index and capacity of the nodes to use under one variant of the features, in the order to fill them."""
    nodes = free.layout.nodes
    indexes = [index for index in bits_of(mask) if capacities[index]]
    if variant.every is not None:
        indexes = [index for index in indexes if features.matches(variant.every, features_of(nodes[index]))]
    required = set(bits_of(demand.required))
    for name, count in variant.counts:
        with_it = [index for index in indexes if name in features_of(nodes[index])]
        if len(with_it) < count:
            return None
        required.update(with_it[:count])
    if not required.issubset(indexes) or len(indexes) < demand.min_nodes or len(required) > demand.max_nodes:
        return None
    first = {index: capacities[index] for index in sorted(required)}
    return _choose(demand, free, first, mask_of(index for index in indexes if index not in required), capacities)


def _choose(
    demand: Demand, free: Free, first: dict[int, int], others: int, capacities: _Capacities
) -> dict[int, int] | None:
    if demand.contiguous:
        return _neighbours(demand, first, {index: capacities[index] for index in bits_of(others)})
    chosen = _fill(demand, free, dict(first), others, capacities)
    if _suffices(demand, chosen):
        return chosen
    if demand.max_nodes >= UNLIMITED:
        return None
    in_order = [index for group in free.layout.by_weight for index in bits_of(others & group)]
    chosen = _fill_looking_ahead(demand, dict(first), {index: capacities[index] for index in in_order})
    return chosen if _suffices(demand, chosen) else None


def _suffices(demand: Demand, chosen: dict[int, int]) -> bool:
    return demand.min_nodes <= len(chosen) <= demand.max_nodes and sum(chosen.values()) >= demand.cpus


def _fill(demand: Demand, free: Free, chosen: dict[int, int], others: int, capacities: _Capacities) -> dict[int, int]:
    """Take nodes by weight, then by the stretch that fits best, until CPUs and nodes suffice or none are left."""
    cpus = demand.cpus - sum(chosen.values())
    nodes = demand.target_nodes - len(chosen)
    for group in free.layout.by_weight:
        stretches = _stretches(others & group)
        ranked: list[tuple[int, int, range]] | None = None
        while stretches and (cpus > 0 or nodes > 0):
            stretch = None
            if ranked is None or ranked[-1][0] >= cpus:
                stretch = _smallest_sufficient(stretches, capacities, cpus, nodes)
            if stretch is None:
                if ranked is None:
                    ranked = sorted((sum([capacities[i] for i in run]), -run.start, run) for run in stretches)
                stretch = ranked.pop()[2]
                stretches = [entry[2] for entry in ranked]
            for index in _in_filling_order(stretch, capacities, cpus, nodes):
                chosen[index] = capacities[index]
                cpus -= capacities[index]
                nodes -= 1
    return chosen


def _stretches(mask: int) -> list[range]:
    """The runs of neighbouring nodes in a mask."""
    found = []
    start = 0
    while mask:
        gap = (mask & -mask).bit_length() - 1
        mask >>= gap
        length = (~mask & (mask + 1)).bit_length() - 1
        start += gap
        found.append(range(start, start + length))
        mask >>= length
        start += length
    return found


def _smallest_sufficient(stretches: list[range], capacities: _Capacities, cpus: int, nodes: int) -> range | None:
    """The shortest stretch with enough nodes and CPUs."""
    for stretch in sorted(stretches, key=len):
        if len(stretch) < nodes or len(stretch) * capacities.largest < cpus:
            continue
        left = cpus
        for index in stretch:
            left -= capacities[index]
            if left <= 0:
                return stretch
    return None


def _in_filling_order(stretch: range, capacities: _Capacities, cpus: int, nodes: int) -> list[int]:
    """The nodes of a stretch to take: one that gives all that is left as soon as one is enough, else the next."""
    taken: list[int] = []
    for index in stretch:
        if cpus <= 0 and nodes <= 0:
            break
        if nodes <= 1 and capacities[index] < cpus <= capacities.largest:
            enough = (other for other in range(index + 1, stretch.stop) if capacities[other] >= cpus)
            index = next(enough, index)
        taken.append(index)
        cpus -= capacities[index]
        nodes -= 1
    return taken


def _fill_looking_ahead(demand: Demand, chosen: dict[int, int], others: dict[int, int]) -> dict[int, int]:
    """The first nodes in order of preference that, with the largest of the later ones, give enough CPUs."""
    later = sorted(others.values())
    target = min(demand.target_nodes, demand.max_nodes, len(chosen) + len(others))
    cpus = demand.cpus - sum(chosen.values())
    for index, cpus_here in others.items():
        room = target - len(chosen)
        if room <= 0:
            break
        del later[bisect_left(later, cpus_here)]
        if cpus_here + sum(later[len(later) - room + 1 :]) * (room > 1) >= cpus and len(later) >= room - 1:
            chosen[index] = cpus_here
            cpus -= cpus_here
    return chosen


def _neighbours(demand: Demand, first: dict[int, int], others: dict[int, int]) -> dict[int, int] | None:
    """The first stretch of neighbours, the shortest before others, that holds all required nodes and suffices."""
    capacities = {**first, **others}
    for run in sorted(_stretches(mask_of(capacities)), key=len):
        if not first.keys() <= set(run):
            continue
        for start in run:
            window = _window(demand, range(start, run.stop), capacities)
            if window is None:
                break
            if first.keys() <= window.keys() and len(window) <= demand.max_nodes:
                return window
    return None


def _window(demand: Demand, run: range, capacities: dict[int, int]) -> dict[int, int] | None:
    window: dict[int, int] = {}
    cpus = demand.cpus
    for index in run:
        window[index] = capacities[index]
        cpus -= capacities[index]
        if cpus <= 0 and len(window) >= demand.target_nodes and not demand.required & ~mask_of(window):
            return window
    return window if cpus <= 0 and len(window) >= demand.min_nodes else None


def _allocation(demand: Demand, free: Free, chosen: dict[int, int]) -> Allocation:
    """Deal the CPUs out over the chosen nodes: each gets its floor, earlier ones as much as they can give."""
    shares = []
    cpus, later = demand.cpus, len(chosen)
    for index, most in chosen.items():
        later -= 1
        here = max(demand.floor, min(most, cpus - later * demand.floor))
        here = min(most, here + -here % demand.unit)
        cpus -= here
        shares.append(_share(demand, free, index, here))
    shares.sort(key=lambda share: share.node)
    return Allocation(tuple(shares), demand.whole_nodes)


def _share(demand: Demand, free: Free, index: int, cpus: int) -> NodeShare:
    node = free.layout.nodes[index]
    if demand.whole_nodes:
        cores, cpus = free.layout.all_cores[index], node.cpus
    else:
        count = -(-cpus // min(demand.threads, node.threads_per_core))
        bits = _spread_over_sockets(demand, free, index) if demand.tasks_per_socket else free.cores[index]
        cores, cpus = _lowest(bits, count), count * node.threads_per_core
    memory = node.real_memory_mib if demand.all_memory else demand.memory_per_node_mib
    if demand.memory_per_cpu_mib:
        memory = demand.memory_per_cpu_mib * cpus
    return NodeShare(index, cores, cpus, memory)


def _lowest(bits: int, count: int) -> int:
    """The lowest `count` set bits."""
    if count == 1:
        return bits & -bits
    rest = bits
    for _ in range(count):
        rest &= rest - 1
    return bits & ~rest


def _spread_over_sockets(demand: Demand, free: Free, index: int) -> int:
    """The free cores of a node that are left when no socket may carry more than its tasks."""
    node = free.layout.nodes[index]
    per_socket = max(1, node.cores // max(1, node.sockets * node.boards))
    most = -(-demand.tasks_per_socket // min(demand.threads, node.threads_per_core))
    kept = 0
    for start in range(0, node.cores, per_socket):
        bits = free.cores[index] & ((1 << per_socket) - 1) << start
        kept |= bits if bits.bit_count() <= most else _lowest(bits, most)
    return kept
