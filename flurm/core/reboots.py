"""Rebooting nodes (scontrol(1), reboot): asked for, waited for, told, and over.

    REBOOT_REQUESTED  jobs still run there; ASAP drains the node, otherwise new jobs may start
    REBOOT_ISSUED     nothing runs there: the node is DOWN for jobs and has been told to reboot
    back              it registers with a boot time after that, and is what `next_state` says
    timed out         it did not within ResumeTimeout: DOWN

`LookAtReboots` is proposed when the clock shows that something is to be done (`due`). A node that is to be told stays
so (`Reboot.told`) until an agent has done it, whoever leads; where RebootProgram is run by the controller it is a
program of `flurm.core.programs` instead. Reasons are those that slurmctld 22.05 writes.
"""

from flurm.core.commands import LookAtReboots, RebootNodes, RebootTold
from flurm.core.effects import Effect, RebootNode, ScheduleSoon
from flurm.core.enums import NodeFlag, NodeState, Refusal
from flurm.core.names import known_nodes
from flurm.core.node_records import Node, Reboot
from flurm.core.outcome import Outcome, is_operator, rejected
from flurm.core.programs import REBOOT, decide
from flurm.core.records import Cluster
from flurm.core.tables import put_node

LIMIT_S = 300
_FLAGS = NodeFlag.REBOOT_REQUESTED | NodeFlag.REBOOT_ISSUED
_NOBODY = 0xFFFFFFFE


def request(cluster: Cluster, command: RebootNodes) -> Outcome:
    """Have nodes reboot when they are free; those that are to already are left alone."""
    if not is_operator(cluster, command.user_id):
        return rejected(cluster, Refusal.PERMISSION)
    names = known_nodes(cluster, command.names)
    if names is None:
        return rejected(cluster, Refusal.INVALID_NODE_NAME)
    for name in names:
        node = cluster.nodes[name]
        if node.reboot is None and node.state is not NodeState.FUTURE and not node.flags & NodeFlag.POWERED_DOWN:
            cluster = put_node(cluster, _requested(node, command))
    return Outcome(cluster.with_(nodes_changed_s=command.now_s), effects=(ScheduleSoon(),))


def _requested(node: Node, command: RebootNodes) -> Node:
    drains = command.asap and not node.flags & NodeFlag.DRAIN
    reboot = Reboot(asap=drains, next_state=command.next_state)
    flags = node.flags | NodeFlag.REBOOT_REQUESTED | (NodeFlag.DRAIN if drains else NodeFlag.NONE)
    node = node.with_(flags=flags, reboot=reboot)
    reason = command.reason or node.reason
    if not reason:
        reason = "Reboot ASAP" if command.asap else "reboot requested"
    if reason == node.reason:
        return node
    return node.with_(reason=reason, reason_s=command.now_s, reason_uid=command.user_id)


def cancel(node: Node) -> Node | None:
    """The node without the reboot that it was to have; None where there is none, or it has been told."""
    if not node.flags & NodeFlag.REBOOT_REQUESTED or node.reboot is None:
        return None
    dropped = _FLAGS | (NodeFlag.DRAIN if node.reboot.asap else NodeFlag.NONE)
    node = node.with_(flags=node.flags & ~dropped, reboot=None)
    if node.flags & NodeFlag.DRAIN or node.state is NodeState.DOWN:
        return node
    return node.with_(reason=None, reason_s=0, reason_uid=_NOBODY)


def dropped(node: Node) -> Node:
    """The node without any reboot, for one whose state an administrator settles."""
    return node if node.reboot is None else node.with_(flags=node.flags & ~_FLAGS, reboot=None)


def due(cluster: Cluster, now_s: int) -> bool:
    """Whether `LookAtReboots` would do anything."""
    nodes = (cluster.nodes[name] for name in cluster.rebooting if name in cluster.nodes)
    return any(_is_free(node) or _is_late(cluster, node, now_s) for node in nodes)


def _is_free(node: Node) -> bool:
    return bool(node.flags & NodeFlag.REBOOT_REQUESTED) and not node.jobs


def _is_late(cluster: Cluster, node: Node, now_s: int) -> bool:
    issued_s = node.reboot.issued_s if node.reboot is not None else 0
    return bool(node.flags & NodeFlag.REBOOT_ISSUED) and now_s > issued_s + cluster.settings.resume_timeout_s


def look(cluster: Cluster, command: LookAtReboots) -> Outcome:
    """Tell nodes that are free to reboot, and set down those that are late."""
    now_s, effects = command.now_s, []
    by_controller: list[str] = []
    for name in sorted(cluster.rebooting, key=lambda name: cluster.nodes[name].index):
        node = cluster.nodes[name]
        if _is_free(node):
            here = cluster.settings.reboot_program is not None
            cluster = put_node(cluster, _issued(node, now_s, told=here))
            if here:
                by_controller.append(name)
            else:
                effects.append(RebootNode(name))
        elif _is_late(cluster, node, now_s):
            cluster = put_node(cluster, _timed_out(node, now_s))
    if by_controller:
        cluster = decide(
            cluster, REBOOT, (cluster.settings.reboot_program or "",), now_s,
            arguments=(",".join(by_controller),), limit_s=LIMIT_S,
        )  # fmt: skip
    found: tuple[Effect, ...] = tuple(effects)
    return Outcome(cluster.with_(nodes_changed_s=now_s), effects=(*found, ScheduleSoon()))


def _issued(node: Node, now_s: int, *, told: bool) -> Node:
    assert node.reboot is not None
    return node.with_(
        state=NodeState.DOWN,
        flags=node.flags & ~NodeFlag.REBOOT_REQUESTED | NodeFlag.REBOOT_ISSUED,
        reboot=node.reboot.with_(issued_s=now_s, told=told),
        reason="reboot issued" if node.state is NodeState.DOWN else _with_note(node, "reboot issued"),
        reason_s=now_s,
    )


def _timed_out(node: Node, now_s: int) -> Node:
    asap = node.reboot is not None and node.reboot.asap
    dropped = _FLAGS | (NodeFlag.DRAIN if asap else NodeFlag.NONE)
    return node.with_(
        state=NodeState.DOWN,
        flags=node.flags & ~dropped,
        reboot=None,
        reason=_with_note(node, "reboot timed out"),
        reason_s=now_s,
    )


def _with_note(node: Node, note: str) -> str:
    return f"{node.reason} : {note}" if node.reason else note


def told(cluster: Cluster, command: RebootTold) -> Outcome:
    """A node has heard that it is to reboot."""
    node = cluster.nodes.get(command.name)
    if node is None or node.reboot is None or node.reboot.issued_s != command.issued_s:
        return Outcome(cluster)
    return Outcome(put_node(cluster, node.with_(reboot=node.reboot.with_(told=True))))


def must_be_told(node: Node) -> bool:
    """Whether an agent is to tell the node to reboot."""
    return node.reboot is not None and node.reboot.issued_s > 0 and not node.reboot.told


def is_away(node: Node, boot_s: int) -> bool:
    """Whether a node that registers is still to reboot: it was told and has not since then."""
    return node.reboot is not None and node.reboot.issued_s > 0 and boot_s <= node.reboot.issued_s


def come_back(node: Node, now_s: int) -> Node:
    """A node that has been rebooted since it was told to."""
    if node.reboot is None or not node.reboot.issued_s:
        return node
    reboot = node.reboot
    node = node.with_(flags=node.flags & ~_FLAGS, reboot=None)
    if reboot.next_state == "down":
        return node.with_(
            state=NodeState.DOWN,
            flags=node.flags & ~NodeFlag.DRAIN,
            reason=_with_note(node, "reboot complete"),
            reason_s=now_s,
        )
    if reboot.asap or reboot.next_state == "resume":
        node = node.with_(flags=node.flags & ~NodeFlag.DRAIN)
    node = node.with_(state=NodeState.IDLE)
    return node if node.flags & NodeFlag.DRAIN else node.with_(reason=None, reason_s=0, reason_uid=_NOBODY)
