"""What is free on the nodes: a core bitmap and an amount of memory for each, changed in place, cheap to copy.

Planning takes what it hands out and gives back what running jobs will release, so one `Free` describes one moment, now
or later. Masks of the nodes with at least so many free cores or so much memory are kept once asked for, which is what
makes a job that fits nowhere cost a few integer operations.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

from flurm.core.bits import bits_of
from flurm.core.job_records import Allocation
from flurm.core.node_records import Node
from flurm.core.records import Cluster
from flurm.core.switching import reaches


class Free:
    """Free cores and memory per node index. Nodes that may not start jobs are outside `usable`."""

    __slots__ = ("_with_cores", "_with_memory", "core_counts", "cores", "layout", "memory", "usable")

    def __init__(self, layout: Layout, cores: list[int], memory: list[int], usable: int) -> None:
        self.layout = layout
        self.cores = cores
        self.memory = memory
        self.usable = usable
        self.core_counts = [bits.bit_count() for bits in cores]
        self._with_cores = _masks_by_least(self.core_counts, layout.most_cores)
        self._with_memory: dict[int, int] = {}

    @classmethod
    def of(cls, cluster: Cluster, layout: Layout | None = None) -> Free:
        """What is free now on the nodes that may start jobs. The layout, if given, must be of this very state."""
        layout = layout or Layout(cluster)
        nodes = layout.nodes
        cores = [
            0 if node.exclusive_job else every & ~node.used_cores
            for node, every in zip(nodes, layout.all_cores, strict=True)
        ]
        memory = [node.real_memory_mib - node.used_memory_mib for node in nodes]
        usable = mask_of([node.index for node in nodes if node.is_schedulable])
        return cls(layout, cores, memory, usable)

    @classmethod
    def empty(cls, layout: Layout, usable: int | None = None) -> Free:
        """All configured nodes, idle; all of them up unless `usable` says which."""
        memory = [node.real_memory_mib for node in layout.nodes]
        everything = (1 << len(layout.nodes)) - 1
        return cls(layout, list(layout.all_cores), memory, everything if usable is None else usable)

    def copy(self) -> Free:
        """An independent copy."""
        twin = Free.__new__(Free)
        twin.layout, twin.usable = self.layout, self.usable
        twin.cores, twin.memory, twin.core_counts = self.cores[:], self.memory[:], self.core_counts[:]
        twin._with_cores, twin._with_memory = self._with_cores[:], self._with_memory.copy()
        return twin

    def take(self, allocation: Allocation) -> None:
        """Hand these shares out. Taking cores twice is taking them once; memory adds up."""
        for share in allocation.shares:
            self.put(share.node, self.cores[share.node] & ~share.cores, self.memory[share.node] - share.memory_mib)

    def give(self, allocation: Allocation) -> None:
        """Take these shares back."""
        for share in allocation.shares:
            self.put(share.node, self.cores[share.node] | share.cores, self.memory[share.node] + share.memory_mib)

    def with_cores(self, count: int) -> int:
        """Nodes with at least so many free cores, as a mask."""
        return self._with_cores[count] if count < len(self._with_cores) else 0

    def cores_in(self, mask: int) -> int:
        """Free cores on these nodes."""
        return sum([(mask & with_more).bit_count() for with_more in self._with_cores[1:]])

    def with_memory(self, mib: int) -> int:
        """Nodes with at least so much free memory, as a mask."""
        mask = self._with_memory.get(mib)
        if mask is None:
            digits = "".join(["1" if amount >= mib else "0" for amount in reversed(self.memory)])
            mask = self._with_memory[mib] = int(digits or "0", 2)
        return mask

    def holds(self, allocation: Allocation) -> bool:
        """Whether all shares of the allocation are free, on nodes that may start jobs."""
        if allocation.node_mask & ~self.usable:
            return False
        return all(
            not share.cores & ~self.cores[share.node] and share.memory_mib <= self.memory[share.node]
            for share in allocation.shares
        )

    def put(self, index: int, cores: int, memory: int) -> None:
        """Set what is free of one node."""
        bit = 1 << index
        self.cores[index] = cores
        count, before = cores.bit_count(), self.core_counts[index]
        if count != before:
            self.core_counts[index] = count
            masks = self._with_cores
            for least in range(count + 1, before + 1):
                masks[least] &= ~bit
            for least in range(before + 1, count + 1):
                masks[least] |= bit
        had = self.memory[index]
        if memory != had:
            self.memory[index] = memory
            for least in self._with_memory:
                if (memory >= least) is not (had >= least):
                    self._with_memory[least] ^= bit


class Layout:
    """What stays while jobs come and go: the nodes in index order, their cores, their kinds, their order of preference.

    `kinds` pairs one node of each configuration with the mask of all that are like it, so that a question about the
    configuration is asked once per kind and not once per node.
    """

    __slots__ = ("all_cores", "by_weight", "kinds", "most_cores", "most_threads", "nodes", "switches")

    def __init__(self, cluster: Cluster) -> None:
        self.nodes: tuple[Node, ...] = tuple([cluster.nodes[name] for name in cluster.node_order])
        self.all_cores = tuple([(1 << node.cores) - 1 for node in self.nodes])
        self.most_cores = max([node.cores for node in self.nodes], default=0)
        self.most_threads = max([node.threads_per_core for node in self.nodes], default=1)
        switches = cluster.settings.switches
        self.switches = reaches(switches, cluster.node_order) if switches else ()
        members: dict[tuple, list[int]] = {}
        for index, node in enumerate(self.nodes):
            members.setdefault(_KIND(node), []).append(index)
        self.kinds = tuple([(self.nodes[indexes[0]], mask_of(indexes)) for indexes in members.values()])
        masks: dict[int, int] = {}
        for node, mask in self.kinds:
            masks[node.weight] = masks.get(node.weight, 0) | mask
        self.by_weight = tuple([masks[weight] for weight in sorted(masks)])

    def names_in(self, mask: int) -> list[str]:
        """The names of a mask's nodes, in index order."""
        return [self.nodes[index].name for index in bits_of(mask)]


def mask_of(indexes: Iterable[int]) -> int:
    """The mask with these bits set."""
    digits = bytearray()
    for index in indexes:
        byte = index >> 3
        if byte >= len(digits):
            digits.extend(bytes(byte + 1 - len(digits)))
        digits[byte] |= 1 << (index & 7)
    return int.from_bytes(digits, "little")


_KIND = attrgetter(
    "cpus", "boards", "sockets", "cores_per_socket", "threads_per_core", "real_memory_mib", "tmp_disk_mib", "weight",
    "features", "active_features",
)  # fmt: skip


def _masks_by_least(counts: list[int], highest: int) -> list[int]:
    """For every number up to the highest: the mask of the indexes that have at least so many."""
    digits = [bytearray(b"0" * len(counts)) for _ in range(highest + 1)]
    last = len(counts) - 1
    for index, count in enumerate(counts):
        digits[count][last - index] = 49
    masks, mask = [], 0
    for line in reversed(digits):
        mask |= int(line or b"0", 2)
        masks.append(mask)
    masks.reverse()
    return masks
