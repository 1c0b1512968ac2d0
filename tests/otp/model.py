"""A small model of supervision and upgrades: what a tree looks like, when all is quiet, after one thing has happened.

It is written as plain recursion over lists, with no processes, no mailboxes and no signals, and shares no code with
`flurm.otp.supervision`. `inits` is every `init` that the workers should have run, in order; `ends` every `terminate`,
in order too unless processes end beside each other (`in_order`). `code` is what a start runs: every worker that runs
knows the versions of code that it went through (its `path`), every supervisor the specification that it follows.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

ORDERLY = ("normal", "shutdown")


PERIOD_S = 5.0
SIMPLE = "simple_one_for_one"


@dataclass(frozen=True)
class Spec:
    """A child specification. `code` is the number of a worker's module, None for a supervisor."""

    name: str
    restart: str = "permanent"
    significant: bool = False
    code: int | None = None


@dataclass(frozen=True)
class Flags:
    """The specification of a supervisor. A simple_one_for_one has its template as only child."""

    strategy: str
    intensity: int
    auto_shutdown: str
    children: tuple[Spec, ...]


@dataclass(frozen=True)
class Code:
    """A generation of code: the version of each worker module, and the specification of each supervisor."""

    versions: tuple[int, ...]
    flags: dict[str, Flags]

    def differs(self, other: Code) -> set[str]:
        """The modules that are not the same in both."""
        workers = {f"w{number}" for number, vsn in enumerate(self.versions) if vsn != other.versions[number]}
        return workers | {module_of(Spec(name)) for name in self.flags if self.flags[name] != other.flags[name]}


def module_of(spec: Spec) -> str:
    """The module that a child specification names."""
    return f"w{spec.code}" if spec.code is not None else f"t{int(spec.name[1:]) % 2}"


@dataclass(eq=False)
class Node:
    """A child of a supervisor. A supervisor that runs has `nodes` and `flags`, a worker a `path` of versions of `runs`.

    `path` is None where it is not known whether a worker was started before an upgrade or after it.
    """

    spec: Spec
    above: Node | None
    up: bool = False
    restarting: bool = False
    nodes: list[Node] = field(default_factory=list)
    restarts_s: list[float] = field(default_factory=list)
    flags: Flags | None = None
    runs: int | None = None
    path: tuple[int, ...] | None = ()

    @property
    def simple(self) -> bool:
        return self.flags is not None and self.flags.strategy == SIMPLE


class Model:
    """The tree below `root`. `fails[name]` is how many of the next inits fail; `ignores` are the names that ignore.

    `slow[name]` is how many seconds an init takes. While `upgrading`, it is not known which code a start runs.
    """

    def __init__(self, root: str, code: Code) -> None:
        self.code = code
        self.upgrading = False
        self.slow: dict[str, float] = {}
        self.fails: dict[str, int] = {}
        self.ignores: set[str] = set()
        self.inits: list[str] = []
        self.ends: list[str] = []
        self.in_order = True
        self.now_s = 0.0
        self.retries: list[Node] = []
        self.root = Node(Spec(root), None)
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
            if node.up and node.flags is not None
        }

    def workers(self) -> list[Node]:
        """Those that run."""
        return [node for node in self.walk(self.root) if node.up and node.flags is None]

    def start(self, node: Node) -> bool:
        """False where it failed; an ignored one did not fail, and is not up."""
        name = node.spec.name
        node.restarting = False
        if node.spec.code is not None:
            self.inits.append(name)
            self.now_s += self.slow.get(name, 0.0)
            if self.fails.get(name, 0) > 0:
                self.fails[name] -= 1
                return False
            node.up = name not in self.ignores
            node.runs = node.spec.code
            node.path = None if self.upgrading else (self.code.versions[node.runs],)
            self.drop_if_done(node)
            return True
        node.flags = self.code.flags[name]
        node.nodes = [] if node.simple else [Node(spec, node) for spec in node.flags.children]
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
            forgotten = node.spec.restart == "temporary" or node.above.simple
            if forgotten and node in node.above.nodes:
                node.above.nodes.remove(node)

    def stop(self, node: Node) -> None:
        if node.simple:
            self.in_order = False
        if node.up and node.flags is None:
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
        if reason == "killed" or node.simple:
            self.in_order = False
        elif node.flags is None:
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
        assert sup.flags is not None
        if sup.flags.auto_shutdown == "any_significant":
            return True
        left = [node for node in sup.nodes if node.spec.significant and (node.up or node.restarting)]
        return sup.flags.auto_shutdown == "all_significant" and not left

    def give_up(self, sup: Node) -> None:
        if sup.simple:
            self.in_order = False
        self.stop_all(sup.nodes)
        sup.nodes, sup.up = [], False
        self.exited(sup, "shutdown")

    def restart(self, node: Node) -> None:
        sup = node.above
        assert sup is not None and sup.flags is not None
        sup.restarts_s = [when for when in sup.restarts_s if when >= self.now_s - PERIOD_S] + [self.now_s]
        if len(sup.restarts_s) > sup.flags.intensity:
            node.restarting = False
            self.give_up(sup)
            return
        position = sup.nodes.index(node)
        group = {"one_for_all": sup.nodes, "rest_for_one": sup.nodes[position:]}.get(sup.flags.strategy, [node])
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
        assert above.flags is not None
        if not above.simple and spec.significant and above.flags.auto_shutdown == "never":
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

    def upgrade(self, code: Code) -> None:
        """Other code, and all who run what differs are turned over to it."""
        changed = code.differs(self.code)
        self.code = code
        for node in self.walk(self.root):
            if not node.up:
                continue
            if node.flags is not None:
                if module_of(node.spec) in changed:
                    self.follow(node, code.flags[node.spec.name])
            elif node.path is not None and f"w{node.runs}" in changed:
                assert node.runs is not None
                node.path = (*node.path, code.versions[node.runs])

    def follow(self, sup: Node, flags: Flags) -> None:
        """The specification that a running supervisor follows from now on; processes stay as they are."""
        sup.flags = flags
        if sup.simple:
            for node in sup.nodes:
                restart = "temporary" if node.spec.restart == "temporary" else flags.children[0].restart
                node.spec = replace(flags.children[0], name=node.spec.name, restart=restart)
            return
        before = {child.spec.name: child for child in sup.nodes}
        sup.nodes = [before.pop(spec.name, None) or Node(spec, sup) for spec in flags.children]
        for child, spec in zip(sup.nodes, flags.children, strict=True):
            child.spec = spec
        sup.nodes += before.values()
