"""One controller of the simulation: the real tree on a machine that may lose power at any step and come back.

Real are the processes of ``flurm_core_sup`` and ``flurm_scheduler_sup``, the codecs, the service that answers requests,
the forwarding between controllers, and the storage. Simulated are the machine (disk, clock, network) and the connection
handlers, which are a task per request here.
"""

from __future__ import annotations

import itertools
import traceback
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from actors.net import agent, blob_exchange, forwarding, routing, rpc
from actors.net.blob_exchange import BlobExchange
from actors.net.forwarding import ForwardedConnection, Forwarder
from actors.net.serving import NotInCharge, Refusal, Service
from flurm.bridge.kept import KeptForms
from flurm.bridge.sackds import Sackds
from flurm.bridge.show_stats import Counters
from flurm.config import Config
from flurm.core import machine
from flurm.otp import ONE_FOR_ONE, Child, OtpError, Supervisor
from flurm.otp.runtime.sim import SimClock, Simulation
from flurm.raft import messages
from flurm.raft.events import Received
from flurm.raft.records import Configuration
from flurm.simulation.tree.disk import Disk, SimStore
from flurm.simulation.tree.network import Exchange, Network, SimPeers
from flurm.simulation.tree.programs import SimKeeper
from flurm.storage.errors import StorageError
from protocol.auth import Identity
from protocol.frame import Frame

TREE = Supervisor(
    strategy=ONE_FOR_ONE,
    intensity=10,
    period_s=60,
    children=(
        Child("flurm_protocol_decoder", "actors.protocol_decoder:ProtocolDecoder"),
        Child("flurm_core_sup", "supervisors.flurm_core_sup:SPEC"),
        Child("flurm_scheduler_sup", "supervisors.flurm_scheduler_sup:SPEC"),
    ),
)
MANY = 1_000_000


class Terms(dict[Any, Any]):
    """Published values, with somebody who looks at each."""

    def __init__(self, tell: Callable[[str, Any], None]) -> None:
        super().__init__()
        self._tell = tell

    def __setitem__(self, name: Any, value: Any) -> None:
        super().__setitem__(name, value)
        self._tell(name, value)


class RequestIds:
    """Ids of requests that are the same in every run of a seed."""

    def __init__(self, member: str, boot: int) -> None:
        self._member, self._boot = member, boot
        self._numbers = itertools.count()

    def next(self) -> str:
        """One more."""
        return f"{self._member}/{self._boot}/{next(self._numbers)}"


class Authority:
    """Believes everybody: who a request comes from stands in its frame."""

    signer = launch_signer = None

    def identify(self, frame: Frame, now_s: float, host: str) -> Identity:
        """Whoever the frame names."""
        assert frame.auth is not None
        return Identity(frame.auth.uid, frame.auth.gid)


class WatchedService(Service):
    """Looks whether a read that must be current knows all that anybody had applied when it came."""

    def __init__(self, watch: Any, *what: Any, **how: Any) -> None:
        super().__init__(*what, **how)
        self._watch = watch

    def _confirm(self, exchange: Any, system: Any) -> None:
        known = self._watch.highest
        super()._confirm(exchange, system)
        index = self.terms["cluster_index"]
        if exchange.frame.msg_type in routing.KNOWN_IN_CHARGE and index < known:
            self._watch.violated(f"{exchange.name} is answered from entry {index}, when {known} was applied elsewhere")


class Connection:
    """Stands where a connection handler has the client's socket."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._open = True

    def send(self, parts: tuple[bytes, bytes]) -> None:
        """The reply."""
        self._open = False
        self._exchange.reply(b"".join(parts))

    def close(self) -> None:
        """No reply, unless there was one."""
        if self._open:
            self._open = False
            self._exchange.hang_up()


class PeerAnswer:
    """Stands where a controller that was asked by another answers."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def __call__(self, payload: bytes) -> None:
        self._exchange.reply(payload)

    def fail(self, _detail: str) -> None:
        """The other is not answered."""
        self._exchange.hang_up()


class Controller:
    """A machine and, while it is up, the tree in it."""

    def __init__(self, config: Config, network: Network, directory: Path, world: Any) -> None:
        self.config = config
        self.name = config.member_name
        self.network = network
        self.scheduler = network.scheduler
        self.directory = directory
        self.world = world
        self.disk = Disk(self.scheduler)
        self.clock = SimClock(self.scheduler)
        self.system: Simulation | None = None
        self.store: SimStore | None = None
        self.boots = 0
        self.machine_versions = machine.supported()
        """Which versions of the state machine it can do, as of a release of its own."""
        self.damaged: str | None = None
        """Why it cannot be started any more."""
        self.has_started = False
        """Whether its whole tree is there; a process that dies before makes the start fail, as in OTP."""
        self._open: dict[Exchange, None] = {}

    @property
    def is_up(self) -> bool:
        """Whether it has power."""
        return self.system is not None

    @property
    def terms(self) -> dict[Any, Any]:
        """What its processes publish; nothing while it is down."""
        return self.system.terms if self.system is not None else {}

    def start(self) -> None:
        """Open the state directory and start the tree, unless it is up or cannot be started."""
        if self.is_up or self.damaged:
            return
        try:
            self.store = SimStore(self.directory, self.disk, self.world.recorder)
        except StorageError as error:
            self.damaged = str(error)
            self.world.watch.refused_to_start(self, error)
            return
        self.boots += 1
        system = Simulation(self._environment(), scheduler=self.scheduler, clock=self.clock)
        system.terms = Terms(lambda name, value: self.world.watch.published(self, name, value))
        system.observers.append(lambda event: self.world.watch.process_event(self, event))
        self.store.owner = system
        self.system = system
        self._complete(system)
        self.scheduler.spawn(lambda: self._run(system), owner=system)

    def _environment(self) -> dict[str, Any]:
        authority = Authority()
        return {
            "config": self.config,
            "store": self.store,
            "authority": authority,
            "signer": None,
            "launch_signer": None,
            "counters": Counters(since_s=int(self.clock.now_s())),
            "sackds": Sackds(),
            "started_s": int(self.clock.now_s()),
            "scheduler_plugins": {},
            "seed": self.world.plan.seed * 1000 + self.boots,
            "clock": self._time(),
            "agents": lambda env: SimAgents(self),
            "keeper": lambda number, tell: SimKeeper(self, number, tell),
            "call_node": self._call_node,
            "machine_versions": lambda: self.machine_versions,
        }

    def _time(self) -> Any:
        return SimpleNamespace(time=self.clock.now_s, monotonic=self.clock.monotonic_s, sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.scheduler.wait_for(lambda: False, self.clock.true_s(seconds), [])

    def _complete(self, system: Simulation) -> None:
        """What needs the system."""
        env = system.env
        system.terms["members"] = Configuration()
        system.terms["kept"] = KeptForms()  # of the protocol encoder, which would start connection handlers as well
        env["peers"] = SimPeers(self.network, self.name, self.world.controller)
        env["request_ids"] = RequestIds(self.name, self.boots)
        env["forwarder"] = Forwarder(self.name, env["peers"], system.terms, self.config.message_timeout, env["clock"])
        assert self.store is not None
        env["blob_exchange"] = BlobExchange(self.name, env["peers"], self.store.blobs, system.terms, env["clock"])
        env["service"] = WatchedService(
            self.world.watch, env, system.terms, handlers=MANY, handlers_max=MANY, clock=env["clock"]
        )

    def _run(self, system: Simulation) -> None:
        """Start the tree; when it gives up, the service manager of the machine starts all of it anew."""
        try:
            system.start(TREE, "flurm_sup")
            self.has_started = True
            why = system.wait("flurm_sup")
        except OtpError as error:
            why = error
        self.world.watch.gave_up(self, why)
        self.scheduler.alarm(self.scheduler.now_s, self.lose_power)
        self.scheduler.alarm(self.scheduler.now_s + 1.0, self.start)

    def lose_power(self, softly: bool = False) -> None:
        """Nothing of what ran goes on. With ``softly`` the process was killed, and the machine still has all writes."""
        if self.system is None:
            return
        system, self.system, self.has_started = self.system, None, False
        system.lose_power()
        if not softly:
            self.disk.lose_power()
        store, self.store = self.store, None
        if store is not None:
            store.close()
        for exchange in self._open:
            exchange.hang_up()
        self._open.clear()
        self.world.watch.went_down(self)

    def deliver(self, sender: str, data: bytes) -> None:
        """A message of another member's consensus arrives."""
        if self.system is not None:
            self.system.cast("flurm_consensus", Received(messages.decode(data)))

    def serve(self, sender: str, kind: str, payload: bytes, exchange: Exchange) -> bool:
        """Another controller asks for something; False where nobody is here."""
        if self.system is None:
            return False
        if kind == blob_exchange.CALL:
            exchange_here, answer = self.system.env["blob_exchange"], PeerAnswer(exchange)
            self.system.beside(lambda: exchange_here.give_now(payload, answer))
            return True
        if kind != forwarding.CALL:
            return False
        forwarded = forwarding.decode(payload)
        connection = ForwardedConnection(forwarded, exchange.reply, self.system.terms)
        return self._handle(connection, forwarded.data, forwarded.peer, forwarded, exchange)

    def request(self, data: bytes, exchange: Exchange) -> bool:
        """A client or a node sends a frame; False where nobody is here."""
        return self._handle(Connection(exchange), data[4:], ("10.1.0.1", 40_000), None, exchange)

    def _handle(self, connection: Any, data: bytes, peer: tuple[str, int], forwarded: Any, exchange: Exchange) -> bool:
        system = self.system
        if system is None:
            return False
        self._open[exchange] = None

        def work() -> None:
            try:
                self._serve(system, connection, data, peer, forwarded)
            except Exception:
                self.world.watch.violated(f"a handler of {self.name} crashed: {traceback.format_exc()}")
            self._open.pop(exchange, None)

        self.scheduler.spawn(work, owner=system)
        return True

    def _serve(self, system: Simulation, connection: Any, data: bytes, peer: tuple[str, int], forwarded: Any) -> None:
        """What a connection handler does."""
        service: Service = system.env["service"]
        if "decoder" not in system.terms or "kept" not in system.terms or "cluster" not in system.terms:
            connection.close()  # the listener opens when the tree is up
            return
        reply = None
        try:
            exchange = service.open(data, peer, forwarded)
            try:
                reply = service.answer(exchange, system)
            except (OtpError, StorageError) as error:
                reply = service.failure(exchange, error)
        except Refusal as refusal:
            reply = refusal.reply
        except NotInCharge as not_here:
            connection.refuse(not_here.begun)
        if reply is not None:
            connection.send(reply)
        connection.close()

    def _call_node(
        self, address: tuple[str, int], msg_type: int, record: Any, *, version: int, signer: Any, timeout_s: float
    ) -> rpc.Answer:
        node = self.world.nodes[address[0]]
        exchange = Exchange(self.network, self.name, node.name)
        if exchange.ask(lambda own: node.take(msg_type, record, own), timeout_s):
            return exchange.answer
        raise rpc.Unreachable(f"{node.name}: no answer")


class SimAgents:
    """Agents with a task each in the place of a thread."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    def start(self, task: agent.Task, attempt: int, cluster: Any, tell: Callable[[agent.Sent], None]) -> None:
        """Have a task carried out."""
        system = self._controller.system
        if system is not None:
            system.beside(lambda: agent.carry_out(task, attempt, cluster, system.env, tell))

    def close(self) -> None:
        """Nothing to let go of."""
