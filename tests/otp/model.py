"""A small model of supervision: what a tree looks like, when all is quiet, after one thing has happened to it.

It is written as plain recursion over lists, with no processes, no mailboxes and no signals, and shares no code with
`flurm.otp.supervision`. `inits` is every `init` that the workers should have run, in order; `ends` every `terminate`,
in order too unless processes end beside each other (`in_order`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

ORDERLY = ("normal", "shutdown")


@dataclass
class Spec:
    """A child specification. `children` is None for a worker."""

    name: str
    restart: str = "permanent"
    significant: bool = False
    strategy: str = "one_for_one"
    intensity: int = 3
    auto_shutdown: str = "never"
    children: list[Spec] | None = None

    @property
    def simple(self) -> bool:
        return self.strategy == "simple_one_for_one"


PERIOD_S = 5.0


@dataclass(eq=False)
class Node:
    """A child of a supervisor; a supervisor that runs has `nodes`."""

    spec: Spec
    above: Node | None
    up: bool = False
    restarting: bool = False
    nodes: list[Node] = field(default_factory=list)
    restarts_s: list[float] = field(default_factory=list)


class Model:
    """The tree below `root`. `fails[name]` is how many of the next inits fail; `ignores` are the names that ignore."""

    def __init__(self, root: Spec) -> None:
        self.fails: dict[str, int] = {}
        self.ignores: set[str] = set()
        self.inits: list[str] = []
        self.ends: list[str] = []
        self.in_order = True
        self.now_s = 0.0
        self.retries: list[Node] = []
        self.root = Node(root, None)
        assert self.start(self.root)

    def find(self, name: str) -> Node | None:
        """The running node of this name."""
        return next((node for node in self.walk(self.root) if node.up and node.spec.name == name), None)

    def walk(self, node: Node) -> list[Node]:
        return [node, *(below for child in node.nodes for below in self.walk(child))]

    def shape(self) -> dict[str, list[tuple[str, bool]]]:
        """Of each running supervisor its children and whether they run."""
        return {
            node.spec.name: [(child.spec.name, child.up) for child in node.nodes]
            for node in self.walk(self.root)
            if node.up and node.spec.children is not None
        }

    def start(self, node: Node) -> bool:
        """False where it failed; an ignored one did not fail, and is not up."""
        name = node.spec.name
        node.restarting = False
        if node.spec.children is None:
            self.inits.append(name)
            if self.fails.get(name, 0) > 0:
                self.fails[name] -= 1
                return False
            node.up = name not in self.ignores
            self.drop_if_done(node)
            return True
        node.nodes = [] if node.spec.simple else [Node(spec, node) for spec in node.spec.children]
        node.restarts_s = []
        if not self.start_all(node.nodes):
            self.stop_all(node.nodes)
            node.nodes = []
            return False
        node.up = True
        return True

    def start_all(self, nodes: list[Node]) -> bool:
        for node in list(nodes):
            if not self.start(node):
                node.restarting = True
                return False
        return True

    def drop_if_done(self, node: Node) -> None:
        """A temporary or dynamic child without a process is forgotten."""
        if node.above is not None and not node.up and not node.restarting:
            forgotten = node.spec.restart == "temporary" or node.above.spec.simple
            if forgotten and node in node.above.nodes:
                node.above.nodes.remove(node)

    def stop(self, node: Node) -> None:
        if node.spec.simple:
            self.in_order = False
        if node.up and node.spec.children is None:
            self.ends.append(node.spec.name)
        self.stop_all(node.nodes)
        node.nodes, node.up, node.restarting = [], False, False
        self.drop_if_done(node)

    def stop_all(self, nodes: list[Node]) -> None:
        for node in reversed(list(nodes)):
            self.stop(node)

    def exit(self, name: str, reason: str) -> None:
        """A process exits; everything that follows from it."""
        node = self.find(name)
        assert node is not None
        if reason == "killed" or node.spec.simple:
            self.in_order = False
        elif node.spec.children is None:
            self.ends.append(name)
        self.stop_all(node.nodes)
        node.nodes, node.up = [], False
        self.exited(node, reason)
        self.settle()

    def settle(self) -> None:
        while self.retries:
            node = self.retries.pop(0)
            if node.restarting and node.above is not None and node.above.up and node in node.above.nodes:
                self.restart(node)

    def exited(self, node: Node, reason: str) -> None:
        if node.above is None:
            return
        restart = node.spec.restart
        if restart == "permanent" or (restart == "transient" and reason not in ORDERLY):
            self.restart(node)
            return
        above = node.above
        self.drop_if_done(node)
        if node.spec.significant and self.ends_with(above):
            self.give_up(above)

    def ends_with(self, sup: Node) -> bool:
        """Whether a supervisor, one of whose significant children has ended, ends too."""
        if sup.spec.auto_shutdown == "any_significant":
            return True
        left = [node for node in sup.nodes if node.spec.significant and (node.up or node.restarting)]
        return sup.spec.auto_shutdown == "all_significant" and not left

    def give_up(self, sup: Node) -> None:
        if sup.spec.simple:
            self.in_order = False
        self.stop_all(sup.nodes)
        sup.nodes, sup.up = [], False
        self.exited(sup, "shutdown")

    def restart(self, node: Node) -> None:
        sup = node.above
        assert sup is not None
        sup.restarts_s = [when for when in sup.restarts_s if when >= self.now_s - PERIOD_S] + [self.now_s]
        if len(sup.restarts_s) > sup.spec.intensity:
            node.restarting = False
            self.give_up(sup)
            return
        position = sup.nodes.index(node)
        group = {"one_for_all": sup.nodes, "rest_for_one": sup.nodes[position:]}.get(sup.spec.strategy, [node])
        node.restarting = True  # so that stopping the group does not forget it
        others = [other for other in group if other is not node]
        self.stop_all(others)
        group = [other for other in group if other in sup.nodes]
        if not self.start_all(group):
            self.retries.append(next(other for other in group if other.restarting))

    def start_child(self, sup: str, spec: Spec) -> str:
        above = self.find(sup)
        if above is None:
            return "noproc"
        if not above.spec.simple and spec.significant and above.spec.auto_shutdown == "never":
            return "bad_combination"
        node = Node(spec, above)
        above.nodes.append(node)
        if not self.start(node):
            above.nodes.remove(node)
            return "failed"
        return "ok"

    def child_of(self, sup: str, name: str) -> tuple[Node | None, str]:
        above = self.find(sup)
        if above is None:
            return None, "noproc"
        node = next((node for node in above.nodes if node.spec.name == name), None)
        return node, "ok" if node is not None else "not_found"

    def terminate_child(self, sup: str, name: str) -> str:
        node, verdict = self.child_of(sup, name)
        if node is not None:
            self.stop(node)
        return verdict

    def restart_child(self, sup: str, name: str) -> str:
        node, verdict = self.child_of(sup, name)
        if node is None:
            return verdict
        if node.up:
            return "running"
        return "ok" if self.start(node) else "failed"

    def delete_child(self, sup: str, name: str) -> str:
        node, verdict = self.child_of(sup, name)
        if node is None:
            return verdict
        if node.up:
            return "running"
        assert node.above is not None
        node.above.nodes.remove(node)
        return "ok"

    def upgrade(self, sup: str, spec: Spec) -> None:
        """The specification that a running supervisor follows from now on."""
        node = self.find(sup)
        assert node is not None and spec.children is not None
        before = {child.spec.name: child for child in node.nodes}
        node.spec = spec
        node.nodes = [before.pop(child.name, None) or Node(child, node) for child in spec.children]
        for child, new in zip(node.nodes, spec.children, strict=True):
            child.spec = new
        node.nodes += before.values()
