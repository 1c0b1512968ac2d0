"""What is free on the nodes: a core bitmap and an amount of memory for each, changed in place, cheap to copy.

Planning takes what it hands out and gives back what running jobs will release, so one `Free` describes one moment, now
or later. Masks of the nodes with at least so many free cores or so much memory are kept once asked for, which is what
makes a job that fits nowhere cost a few integer operations.
"""

from __future__ import annotations

from flurm.core.records import Allocation, Cluster, Node


class Free:
    """Free cores and memory per node index. Nodes that may not start jobs are outside `usable`."""

    __slots__ = ("_with_cores", "_with_memory", "core_counts", "cores", "layout", "memory", "usable")

    def __init__(self, layout: Layout, cores: list[int], memory: list[int], usable: int) -> None:
        self.layout = layout
        self.cores = cores
        self.memory = memory
        self.usable = usable
        self.core_counts = [bits.bit_count() for bits in cores]
        self._with_cores: dict[int, int] = {}
        self._with_memory: dict[int, int] = {}

    @classmethod
    def of(cls, cluster: Cluster, layout: Layout | None = None) -> Free:
        """What is free now on the nodes that may start jobs."""
        layout = layout or Layout(cluster)
        cores, memory, usable = [], [], 0
        for node in layout.nodes:
            taken = -1 if node.exclusive_job else node.used_cores
            cores.append(layout.all_cores[node.index] & ~taken)
            memory.append(node.real_memory_mib - node.used_memory_mib)
            if node.is_schedulable:
                usable |= 1 << node.index
        return cls(layout, cores, memory, usable)

    @classmethod
    def empty(cls, cluster: Cluster, layout: Layout | None = None) -> Free:
        """All configured nodes, up and idle."""
        layout = layout or Layout(cluster)
        memory = [node.real_memory_mib for node in layout.nodes]
        return cls(layout, list(layout.all_cores), memory, (1 << len(layout.nodes)) - 1)

    def copy(self) -> Free:
        """An independent copy."""
        twin = Free.__new__(Free)
        twin.layout, twin.usable = self.layout, self.usable
        twin.cores, twin.memory, twin.core_counts = self.cores[:], self.memory[:], self.core_counts[:]
        twin._with_cores, twin._with_memory = self._with_cores.copy(), self._with_memory.copy()
        return twin

    def take(self, allocation: Allocation) -> None:
        """Hand these shares out. Taking cores twice is taking them once; memory adds up."""
        for share in allocation.shares:
            self._set(share.node, self.cores[share.node] & ~share.cores, self.memory[share.node] - share.memory_mib)

    def give(self, allocation: Allocation) -> None:
        """Take these shares back."""
        for share in allocation.shares:
            self._set(share.node, self.cores[share.node] | share.cores, self.memory[share.node] + share.memory_mib)

    def with_cores(self, count: int) -> int:
        """Nodes with at least so many free cores, as a mask."""
        mask = self._with_cores.get(count)
        if mask is None:
            mask = self._with_cores[count] = _mask(self.core_counts, count)
        return mask

    def with_memory(self, mib: int) -> int:
        """Nodes with at least so much free memory, as a mask."""
        mask = self._with_memory.get(mib)
        if mask is None:
            mask = self._with_memory[mib] = _mask(self.memory, mib)
        return mask

    def idle(self) -> int:
        """Nodes with all their cores and memory free."""
        mask = 0
        for index, (bits, every) in enumerate(zip(self.cores, self.layout.all_cores, strict=True)):
            if bits == every and self.memory[index] >= self.layout.nodes[index].real_memory_mib:
                mask |= 1 << index
        return mask

    def holds(self, allocation: Allocation) -> bool:
        """Whether all shares of the allocation are free, on nodes that may start jobs."""
        if allocation.node_mask & ~self.usable:
            return False
        return all(
            not share.cores & ~self.cores[share.node] and share.memory_mib <= self.memory[share.node]
            for share in allocation.shares
        )

    def _set(self, index: int, cores: int, memory: int) -> None:
        bit = 1 << index
        self.cores[index] = cores
        count = cores.bit_count()
        if count != self.core_counts[index]:
            self.core_counts[index] = count
            for least, mask in self._with_cores.items():
                self._with_cores[least] = mask | bit if count >= least else mask & ~bit
        if memory != self.memory[index]:
            self.memory[index] = memory
            for least, mask in self._with_memory.items():
                self._with_memory[least] = mask | bit if memory >= least else mask & ~bit


class Layout:
    """What does not change while jobs come and go: the nodes in index order, their cores, their order of preference."""

    __slots__ = ("all_cores", "by_weight", "most_threads", "nodes")

    def __init__(self, cluster: Cluster) -> None:
        self.nodes: tuple[Node, ...] = tuple(cluster.nodes[name] for name in cluster.node_order)
        self.all_cores = tuple((1 << node.cores) - 1 for node in self.nodes)
        self.most_threads = max((node.threads_per_core for node in self.nodes), default=1)
        masks: dict[int, int] = {}
        for node in self.nodes:
            masks[node.weight] = masks.get(node.weight, 0) | 1 << node.index
        self.by_weight = tuple(masks[weight] for weight in sorted(masks))


def _mask(amounts: list[int], least: int) -> int:
    text = "".join(["1" if amount >= least else "0" for amount in reversed(amounts)])
    return int(text, 2) if text else 0
