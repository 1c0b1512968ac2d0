"""Node manager: owns the rules of nodes, the heartbeat monitor, and everything that is sent to node daemons.

Calls    "status" -> dict
Casts    Carry(LaunchBatch | TerminateJob | SignalJob | PingNodes | AskAgain ...) and TookCharge from the state manager
         Reconfigured from the application
         NodeRequest(RegisterNode | UpdateNode | CreateNodes | DeleteNodes) from the job manager, answered when it
         is committed
Infos    Sent(...) from the agents; its own timers
Effects  RPCs to node daemons, by a bounded pool of agents; commands to consensus
Errors   a node that does not answer is a fact, not an error; an exception is a bug and crashes the process

Nothing here is remembered that matters: what must happen stands in the cluster's state, and a new node manager takes
it up again (`flurm.core.recovery`). A task that fails is tried again until the state no longer asks for it.
"""

from __future__ import annotations

from typing import Any

import msgspec
import structlog

from actors import messages as m
from actors.backlog import keeps_up
from actors.leadership import is_in_charge
from actors.net import agent
from actors.tracer import TRACER, Span, Spans
from flurm.bridge.node_programs import health_checks, launches_prologs
from flurm.core import commands as c
from flurm.core.effects import AskAgain, Effect, LaunchBatch, PingNodes, TerminateJob
from flurm.core.enums import JobState, NodeFlag, NodeState
from flurm.core.node_records import Node
from flurm.core.records import Cluster
from flurm.core.recovery import outstanding
from flurm.otp import GenServer, NoReply, Ok, Reply, Response, ResponseDown, Sender

CONSENSUS = "flurm_consensus"
REGISTER_BEATS = 20
"""So many heartbeats from one question to all nodes which jobs they have to the next: what was lost is found then."""
HEALTH_TICK_S = 5.0
"""How soon health checks begin, and how often it is looked whether there are any."""
RETRY_S = (0.5, 1.0, 2.0, 5.0, 10.0)

log = structlog.get_logger(__name__)


class Retry(msgspec.Struct, frozen=True):
    """Timer: try this task again."""

    task: agent.Task
    attempt: int


class State(msgspec.Struct):
    """Tasks under way, silence by node, and the agents that send."""

    agents: agent.Agents
    busy: set[agent.Task] = msgspec.field(default_factory=set)
    failures: dict[str, int] = msgspec.field(default_factory=dict)
    heard_s: dict[str, float] = msgspec.field(default_factory=dict)
    in_doubt: set[str] = msgspec.field(default_factory=set)
    """Nodes that are asked to register once more in a while."""
    waiting: dict[int, Sender] = msgspec.field(default_factory=dict)
    requests: int = 0
    beats: int = 1
    checked: str = ""
    """The last node whose health was checked, where the checks go round."""


class NodeManager(GenServer):
    """Talks to node daemons on behalf of the cluster."""

    vsn = 1

    def init(self, args: dict[str, Any]) -> Ok:
        agents = self.system.env.get("agents", agent.Agents)(self.system.env)
        self.send_after(self._heartbeat_s(), "heartbeat")
        self.send_after(HEALTH_TICK_S, "health")
        return Ok(State(agents), continue_="recover")

    def handle_continue(self, what: Any, state: State) -> NoReply:
        if is_in_charge(self.system.terms):
            self._recover(state)
        return NoReply(state)

    def _recover(self, state: State) -> None:
        """Take up what the state says is still to be done, and ask all nodes what they have."""
        cluster = self._cluster()
        state.failures.clear()  # another controller has watched the nodes until now
        state.heard_s.clear()
        self._carry(outstanding(cluster), state)
        self._carry((PingNodes(cluster.node_order),), state)

    def handle_call(self, request: Any, sender: Sender, state: State) -> Reply | NoReply:
        match request:
            case "status":
                return Reply(self.format_status(state), state)
        raise NotImplementedError(repr(request))

    def handle_cast(self, message: Any, state: State) -> NoReply:
        match message:
            case m.Carry(effects):
                self._carry(effects, state)
            case m.TookCharge():
                self._recover(state)
            case m.Reconfigured():
                self._tell_of_new_configuration(state)
            case m.NodeRequest(command, reply_to):
                if isinstance(command, c.RegisterNode):
                    self._registered(command.name, state)
                self.cast(CONSENSUS, m.propose(command, reply_to))
            case _:
                raise NotImplementedError(repr(message))
        return NoReply(state)

    def handle_info(self, message: Any, state: State) -> NoReply:
        match message:
            case agent.Sent():
                self._sent(message, state)
            case AskAgain(name):
                state.in_doubt.discard(name)
                self._send(agent.Task(agent.Kind.REGISTER, name), state)
            case Retry(task, attempt):
                self._send(task, state, attempt)
            case "heartbeat":
                self.send_after(self._heartbeat_s(), "heartbeat")
                self._beat(state)
            case "health":
                self._check_health(state)
            case Response() | ResponseDown():
                pass
        return NoReply(state)

    def _tell_of_new_configuration(self, state: State) -> None:
        for name, node in self._cluster().nodes.items():
            if node.facts is not None and _is_watched(node):
                self._send(agent.Task(agent.Kind.RECONFIGURE, name), state)

    def _registered(self, name: str, state: State) -> None:
        state.failures.pop(name, None)
        state.heard_s[name] = self.monotonic_s()

    def _carry(self, effects: tuple[Effect, ...], state: State) -> None:
        for effect in effects:
            if isinstance(effect, AskAgain) and effect.node not in state.in_doubt:
                state.in_doubt.add(effect.node)
                self.send_after(effect.after_s, effect)
            for task in agent.tasks_of(effect, self._cluster(), prologs=launches_prologs(self.system.env["config"])):
                self._send(task, state)

    def _send(self, task: agent.Task, state: State, attempt: int = 0) -> None:
        """Give a task to an agent, unless it is under way already or the state no longer asks for it."""
        cluster = self._cluster()
        if not is_in_charge(self.system.terms):
            return
        if task in state.busy or not agent.is_wanted(task, cluster, again=attempt > 0):
            return
        state.busy.add(task)
        state.requests += 1
        system, target = self.system, self.pid
        state.agents.start(task, attempt, cluster, lambda sent: system.info(target, sent))

    def _sent(self, sent: agent.Sent, state: State) -> None:
        state.busy.discard(sent.task)
        name = sent.task.node
        facts: dict[str, str | int] = {"node": name, "job": sent.task.job_id, "error": sent.error}
        began_s = self.now_s() - sent.duration_us / 1e6
        self.cast(TRACER, Spans((Span(f"node {sent.task.kind.value}", began_s, sent.duration_us, facts),)))
        if sent.reached:
            self._heard(name, state)
        for command in sent.commands:
            self.cast(CONSENSUS, m.propose(command))
        if sent.done:
            return
        if not sent.reached and not state.failures.get(name):
            log.info("node did not answer", node=name, reason=sent.error)
        if sent.task.kind in (agent.Kind.PING, agent.Kind.REGISTER):
            if not sent.reached:
                self._silent(name, state)
            return
        delay_s = sent.retry_after_s or RETRY_S[min(sent.attempt, len(RETRY_S) - 1)]
        self.send_after(delay_s, Retry(sent.task, sent.attempt + 1))

    def _heard(self, name: str, state: State) -> None:
        """A node has answered; it may have been marked as silent by the controller that was in charge before."""
        state.heard_s[name] = self.monotonic_s()
        node = self._cluster().nodes.get(name)
        if state.failures.pop(name, 0) or (node is not None and node.flags & NodeFlag.NO_RESPOND):
            self.cast(CONSENSUS, m.propose(c.NodesResponded(now_s=int(self.now_s()), names=(name,))))

    def _silent(self, name: str, state: State) -> None:
        """Count a heartbeat that was not answered: first the node is marked, then it is down."""
        failures = state.failures[name] = state.failures.get(name, 0) + 1
        node = self._cluster().nodes.get(name)
        if node is None or node.state is NodeState.DOWN:
            return
        down = failures >= self.system.env["config"].node_down_threshold
        if not keeps_up(self.system, CONSENSUS):
            state.failures[name] = failures - 1  # the next heartbeat counts it again
        elif failures == 1 or down:
            self.cast(CONSENSUS, m.propose(c.NodesMissing(now_s=int(self.now_s()), names=(name,), down=down)))

    def _beat(self, state: State) -> None:
        if not is_in_charge(self.system.terms):
            return
        cluster = self._cluster()
        kind = agent.Kind.PING if state.beats % REGISTER_BEATS else agent.Kind.REGISTER
        state.beats += 1
        for name, node in cluster.nodes.items():
            if _is_watched(node):
                self._send(agent.Task(kind, name), state)
            if node.lost and node.is_up:
                self._carry(tuple(TerminateJob(job_id, (name,)) for job_id in node.lost), state)
        for job_id in cluster.active:
            job = cluster.jobs[job_id]
            if job.completing:
                self._carry((TerminateJob(job_id, tuple(cluster.names_in(job.completing))),), state)
            elif job.state is JobState.RUNNING and job.launch == "wanted":
                self._carry((LaunchBatch(job_id),), state)

    def _check_health(self, state: State) -> None:
        """Have the nodes checked whose turn it is; what is configured may change from one turn to the next."""
        checks = health_checks(self.system.env["config"])
        self.send_after(checks.tick_s or HEALTH_TICK_S, "health")
        if checks.interval_s and is_in_charge(self.system.terms):
            cluster = self._cluster()
            for name in checks.due(cluster, state.checked):
                self._send(agent.Task(agent.Kind.HEALTH, name), state)
            state.checked = checks.last(cluster, state.checked)

    def _heartbeat_s(self) -> float:
        interval_ms: int = self.system.env["config"].heartbeat_interval
        return interval_ms / 1000

    def _cluster(self) -> Cluster:
        return self.system.terms["cluster"]

    def terminate(self, reason: Any, state: State) -> None:
        state.agents.close()

    def format_status(self, state: State) -> Any:
        return {"under_way": len(state.busy), "failures": dict(state.failures), "requests": state.requests}


def _is_watched(node: Node) -> bool:
    return node.state is not NodeState.FUTURE and not node.flags & NodeFlag.POWERED_DOWN
