"""A Raft cluster on a simulated network and simulated disks, with clients, under a plan of faults.

``run(plan)`` plays the plan from its first millisecond: members start, clients propose and read, faults come and go.
After the last fault everything is mended, and the cluster must come back: elect a leader, commit what is proposed then,
and bring every member to the same state. The invariants are checked at every step. A ``Violation``, or a crash of the
code itself, is the outcome of a failed run.

Every step can be recorded (``recording``): what happened, and what the members looked like after it.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from flurm.raft import effects as e
from flurm.raft import events as v
from flurm.raft.limits import Limits, Timing
from flurm.raft.messages import InstallSnapshot, Message
from flurm.raft.records import Configuration, Entry, Role
from flurm.raft.server import RaftServer
from flurm.simulation.disk import Disk, Snapshot
from flurm.simulation.faults import Fault, FaultKind, Plan
from flurm.simulation.invariants import History, Violation, commit_is_durable, commit_is_of_own_term
from flurm.simulation.network import Network, between

TIMING = Timing(catch_up_ms=1_000)
PATIENCE_MS = 6_000
TICK_MS = 10
CHUNK_BYTES = 16


class Outcome(msgspec.Struct, frozen=True):
    """How a run ended; ``problem`` is empty where everything held."""

    seed: int
    problem: str = ""
    steps: int = 0
    commits: int = 0
    acknowledged: int = 0
    reads: int = 0
    elections: int = 0
    ended_ms: float = 0.0


class Member:
    """One member: its server while it runs, its disk, its clock, what it has applied."""

    def __init__(self, name: str, origin: Configuration, disk: Disk) -> None:
        self.name = name
        self.origin = origin
        self.disk = disk
        self.server: RaftServer | None = None
        self.configuration = origin
        """The one in force, as the effects tell of it: a commit counts under the one before those that follow it."""
        self.life = 0
        self.applied = 0
        self.sending: dict[str, Snapshot] = {}
        self.paused_until = 0.0
        self.tick_at: float | None = None
        self.clock_from = 0.0
        self.clock_shown = 0.0
        self.clock_rate = 1.0

    def clock(self, now: float) -> int:
        """What its clock shows, in milliseconds; it never goes back."""
        return int(self.clock_shown + (now - self.clock_from) * self.clock_rate)

    def set_rate(self, now: float, rate: float) -> None:
        """Let the clock go faster or slower from now on."""
        self.clock_shown += (now - self.clock_from) * self.clock_rate
        self.clock_from, self.clock_rate = now, rate


class Record(Protocol):
    """Whoever writes a run down, as ``recording`` does."""

    def begin(self, world: World) -> None:
        """The cluster, before anybody has started."""

    def note(self, world: World, member: Member, event: v.Event | None) -> None:
        """An event has happened to a member; None: it has crashed."""


class World:
    """The simulated cluster: a queue of things to come, in the order of their virtual time."""

    def __init__(self, plan: Plan, record: Record | None = None) -> None:
        self.plan = plan
        self.now = 0.0
        self.steps = 0
        self.history = History()
        self.acknowledged = 0
        self.reads = 0
        self.healed = False
        self._draw = random.Random(f"world/{plan.seed}")
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = 0
        self._record = record
        self._proposed = 0
        self._markers: set[int] = set()
        self._reads: dict[int, int] = {}
        self._reads_until = 0.0
        self._down: dict[str, int] = {}
        self.network = Network(random.Random(f"network/{plan.seed}"), plan.delay_ms)
        self.members: dict[str, Member] = {}
        for name in plan.everybody:
            origin = Configuration(plan.voters) if name in plan.voters else Configuration()
            self.members[name] = Member(name, origin, self._new_disk(name))

    def _new_disk(self, name: str) -> Disk:
        draw = random.Random(f"disk/{name}/{self.plan.seed}")
        return Disk(draw, self.plan.sync_ms, self.later, lambda event: self.tell(self.members[name], event))

    def later(self, after_ms: float, what: Callable[[], None]) -> None:
        """Have ``what`` happen in ``after_ms``."""
        self._sequence += 1
        heapq.heappush(self._queue, (self.now + after_ms, self._sequence, what))

    def run(self) -> None:
        """Play the whole plan. Raises Violation, and whatever the code under test raises."""
        if self._record is not None:
            self._record.begin(self)
        for member in self.members.values():
            self.start(member)
        for fault in self.plan.faults:
            self.later(fault.at_ms, lambda fault=fault: self._begin_fault(fault))  # type: ignore[misc]
        self.later(self._draw.random() * self.plan.proposal_every_ms, self._client)
        end = max((fault.until_ms for fault in self.plan.faults), default=0)
        self._run_until(max(self.plan.duration_ms, end) + 1.0, lambda: False)
        self.heal()
        if not self._run_until(self.now + PATIENCE_MS, self._is_well):
            raise Violation(f"{PATIENCE_MS} ms after the last fault: {self._what_is_missing()}")

    def _run_until(self, end: float, done: Callable[[], bool]) -> bool:
        check_at = self.now
        while self._queue and self._queue[0][0] <= end:
            self.now, _, what = heapq.heappop(self._queue)
            what()
            if self.now >= check_at:
                check_at = self.now + 20.0
                if done():
                    return True
        self.now = end
        return done()

    def start(self, member: Member) -> None:
        """Bring a member up with what is on its disk."""
        recovered = member.disk.recover()
        limits = Limits(
            kept_entries=self.plan.kept_entries,
            message_entries=4,
            window_messages=4,
            waiting_entries=200,
            learner_lag=3,
        )
        member.life += 1
        seed = self.plan.seed * 1_000 + member.life
        timing = msgspec.structs.replace(TIMING, clock_drift_bound=self.plan.clock_drift_bound)
        member.server = RaftServer(member.name, member.origin, timing, limits, seed)
        member.applied = recovered.snapshot_index
        member.tick_at = None
        member.configuration = member.origin
        member.sending = {}
        self._check_snapshot(member)
        self.tell(member, recovered)
        self.tell(member, v.Tick(member.clock(self.now)))

    def crash(self, member: Member) -> None:
        """A member loses everything that is not on its disk."""
        if member.server is not None:
            member.server = None
            member.disk.crash()
            if self._record is not None:
                self._record.note(self, member, None)

    def tell(self, member: Member, event: v.Event) -> None:
        """Have an event happen to a member, now or when it wakes up; nothing happens to one that is down."""
        server = member.server
        if server is None:
            return
        if self.now < member.paused_until:
            life = member.life
            self.later(
                member.paused_until - self.now, lambda: self.tell(member, event) if life == member.life else None
            )
            return
        self.steps += 1
        now_ms = member.clock(self.now)
        committed = server.commit_index
        leader_before, alone, term = server.role is Role.LEADER, server.alone, server.term
        previous = server.log.last_term if event.__class__ is v.Propose else None
        effects = server.handle(event, now_ms)
        if self._record is not None:
            self._record.note(self, member, event)
        if event.__class__ is v.AppendFailed and alone and server.role is Role.LEADER:
            self.history.never_existed(server.log.last_index, term)
        if server.commit_index < committed:
            raise Violation(f"{member.name} takes its commit index back from {committed} to {server.commit_index}")
        if effects:
            self._carry_out(member, server, effects, term if leader_before else None, previous)
        if event.__class__ is v.AppendFailed and event.kind is v.FailureKind.POISONED:
            self._restart_soon(member)
        elif member.server is server:
            self._wake(member, server)

    def _wake(self, member: Member, server: RaftServer) -> None:
        """See to it that the tick that the server waits for comes, up to a tick's length late."""
        due = server.next_deadline_ms
        if due is None:
            return
        after = (due - member.clock(self.now)) / member.clock_rate
        at = self.now + max(after, 0.0) + self._draw.random() * TICK_MS
        if member.tick_at is None or at < member.tick_at - TICK_MS:
            member.tick_at = at
            life = member.life
            self.later(at - self.now, lambda: self._tick(member, life, at))

    def _tick(self, member: Member, life: int, at: float) -> None:
        if member.server is None or member.life != life or member.tick_at != at:
            return
        if self.now < member.paused_until:
            member.tick_at = wake_at = member.paused_until
            self.later(wake_at - self.now, lambda: self._tick(member, life, wake_at))
            return
        member.tick_at = None
        due = member.server.next_deadline_ms
        if due is not None and due > member.clock(self.now):
            self._wake(member, member.server)
        else:
            self.tell(member, v.Tick(member.clock(self.now)))

    def _carry_out(
        self,
        member: Member,
        server: RaftServer,
        effects: tuple[e.Effect, ...],
        led: int | None,
        previous: int | None,
    ) -> None:
        for effect in effects:
            match effect:
                case e.Send(to, message):
                    self._send(member.name, to, message)
                case e.Append(entries):
                    if entries:
                        first = entries[0].index
                        term = previous if previous is not None else server.log.term_at(first - 1)
                        self.history.appended(member.name, entries, term or 0)
                    member.disk.submit(effect)
                case e.Commit(entries, tokens):
                    self._committed(member, server, entries, tokens, led)
                case e.BecameLeader(term):
                    self.history.became_leader(member.name, term, server.log.term_at, server.log.base_index)
                case e.ConfigurationChanged(configuration):
                    member.configuration = configuration
                case e.ReadReady(token, index):
                    self.reads += 1
                    if index < self._reads.pop(token):
                        raise Violation(f"{member.name} answers a read with the state at {index}, which is too old")
                case e.SendChunk():
                    self._send_chunk(member, effect)
                case e.StoreChunk():
                    member.disk.submit(effect)
                case e.TakeSnapshot():
                    self._take_snapshot(member, server)
                case e.Restore(index):
                    member.applied = index
                    self._check_snapshot(member)

    def _committed(
        self, member: Member, server: RaftServer, entries: tuple[Entry, ...], tokens: tuple[Any, ...], led: int | None
    ) -> None:
        if entries[0].index != member.applied + 1:
            raise Violation(f"{member.name} applies entry {entries[0].index} after {member.applied}")
        news = entries[-1].index > self.history.commit_index
        self.history.committed_by(member.name, server.term, entries)
        member.applied = entries[-1].index
        if news:
            holders = [name for name, other in self.members.items() if other.disk.holds(entries[-1])]
            commit_is_durable(entries[-1], member.configuration, holders)
        if led == server.term and server.role is Role.LEADER:
            commit_is_of_own_term(member.name, entries[-1], server.term)
        for entry, token in zip(entries, tokens, strict=True):
            if token is not None:
                self.acknowledged += 1
                self.history.acknowledged[entry.index] = entry.payload
                self._markers.discard(token)
        if member.applied - server.snapshot_index >= self.plan.snapshot_every:
            self._take_snapshot(member, server)

    def _take_snapshot(self, member: Member, server: RaftServer) -> None:
        index = member.applied
        if index > max(member.disk.snapshot.index, server.snapshot_index):
            term = self.history.committed[index - 1].term
            content = f"{index} {term} {self.history.digest(index)} {'.' * (index % 50)}".encode()
            member.disk.submit(Snapshot(index, term, server.configuration_at(index), content))

    def _check_snapshot(self, member: Member) -> None:
        snapshot = member.disk.snapshot
        if snapshot.index:
            index, term, digest = snapshot.data.decode().split()[:3]
            if (int(index), int(term), int(digest)) != (
                snapshot.index,
                snapshot.term,
                self.history.digest(snapshot.index),
            ):
                raise Violation(f"{member.name} has a snapshot of another state at {snapshot.index}")

    def _send(self, sender: str, to: str, message: Message) -> None:
        receiver = self.members.get(to)
        if receiver is not None:
            for after_ms in self.network.arrivals(sender, to):
                self.later(after_ms, lambda: self.tell(receiver, v.Received(message)))

    def _send_chunk(self, member: Member, effect: e.SendChunk) -> None:
        snapshot = member.sending.get(effect.to)
        if snapshot is None or snapshot.index != effect.index:
            snapshot = member.sending[effect.to] = member.disk.snapshot
        if snapshot.configuration is None:
            return
        offset = effect.offset if effect.index == snapshot.index else 0
        data = snapshot.data[offset : offset + CHUNK_BYTES]
        done = offset + CHUNK_BYTES >= len(snapshot.data)
        place = (snapshot.index, snapshot.term, snapshot.configuration, offset, data, done)
        self._send(member.name, effect.to, InstallSnapshot(member.name, effect.term, *place, effect.round))

    def _client(self) -> None:
        """Somebody proposes something, or reads, at a member that it takes for the leader."""
        every_ms = 40.0 if self.healed else self.plan.proposal_every_ms
        self.later(self._draw.random() * 2 * every_ms, self._client)
        running = [member for member in self.members.values() if member.server is not None]
        if not running:
            return
        leaders = [member for member in running if member.server is not None and member.server.role is Role.LEADER]
        candidates = leaders if leaders and self._draw.random() < 0.8 else running
        member = candidates[int(self._draw.random() * len(candidates))]
        self._proposed += 1
        if self._draw.random() < 0.2 or self.now < self._reads_until:
            self._reads[self._proposed] = self.history.commit_index if self.history.commit_index else 0
            self.tell(member, v.Read(self._proposed))
            return
        if self.healed:
            self._markers.add(self._proposed)
        self.tell(member, v.Propose(b"%d" % self._proposed, self._proposed))

    def _begin_fault(self, fault: Fault) -> None:
        if not self.healed:
            _FAULTS[fault.kind](self, fault)

    def _until(self, fault: Fault, undo: Callable[[], None]) -> None:
        self.later(fault.until_ms - self.now, lambda: None if self.healed else undo())

    def _victim(self, fault: Fault) -> Member:
        if fault.leader:
            for member in self.members.values():
                if member.server is not None and member.server.role is Role.LEADER:
                    return member
        return self.members[fault.members[0]]

    def _crash(self, fault: Fault) -> None:
        member = self._victim(fault)
        self.crash(member)
        self._down[member.name] = self._down.get(member.name, 0) + 1
        self._until(fault, lambda: self._come_back(member))

    def _come_back(self, member: Member) -> None:
        self._down[member.name] -= 1
        if not self._down[member.name] and member.server is None:
            self.start(member)

    def _restart_soon(self, member: Member) -> None:
        self.crash(member)
        self._down[member.name] = self._down.get(member.name, 0) + 1
        self.later(5.0, lambda: self._come_back(member) if not self.healed else None)

    def _pause(self, fault: Fault) -> None:
        self._victim(fault).paused_until = float(fault.until_ms)

    def _partition(self, fault: Fault) -> None:
        links = between(fault.members, [name for name in self.members if name not in fault.members])
        self.network.cut(links)
        self._until(fault, lambda: self.network.mend(links))

    def _overtake(self, fault: Fault) -> None:
        """One member does not hear the leader any more; later nobody does, and perhaps those that did until then
        restart: who is elected now, the leader does not know. Clients only read, so that all logs are equal."""
        self._reads_until = float(fault.until_ms)
        leader = self._victim(fault)
        first, *rest = [member for member in self.members.values() if member is not leader]

        def cut(links: list[tuple[str, str]]) -> None:
            self.network.cut(links)
            self._until(fault, lambda: self.network.mend(links))

        def be_alone() -> None:
            if self.healed:
                return
            cut(between([leader.name], [first.name, *(member.name for member in rest)]))
            if fault.amount > 0:
                for member in rest:
                    self._crash(Fault(FaultKind.CRASH, int(self.now), int(self.now + fault.amount), (member.name,)))

        self.later((fault.until_ms - self.now) / 6, lambda: None if self.healed else cut([(leader.name, first.name)]))
        self.later((fault.until_ms - self.now) / 2, be_alone)

    def _cut(self, fault: Fault) -> None:
        if len(fault.members) == 2:
            links = [(fault.members[0], fault.members[1])]
            self.network.cut(links)
            self._until(fault, lambda: self.network.mend(links))

    def _disturb(self, attribute: str) -> Callable[[Fault], None]:
        def disturb(fault: Fault) -> None:
            setattr(self.network, attribute, fault.amount)
            self._until(fault, lambda: setattr(self.network, attribute, 0.0))

        return disturb

    def _disk_full(self, fault: Fault) -> None:
        disk = self._victim(fault).disk
        disk.full = True
        self._until(fault, lambda: setattr(disk, "full", False))

    def _disk_slow(self, fault: Fault) -> None:
        disk = self._victim(fault).disk
        disk.slow_ms = fault.amount
        self._until(fault, lambda: setattr(disk, "slow_ms", 0.0))

    def _disk_broken(self, fault: Fault) -> None:
        self._victim(fault).disk.broken = True

    def _drift(self, fault: Fault) -> None:
        member = self._victim(fault)
        member.set_rate(self.now, fault.amount)
        self._until(fault, lambda: member.set_rate(self.now, 1.0))

    def _snapshot(self, fault: Fault) -> None:
        member = self._victim(fault)
        if member.server is not None:
            self._take_snapshot(member, member.server)

    def _transfer(self, fault: Fault) -> None:
        self._tell_leader(v.TransferLeadership(None if fault.leader else fault.members[0], "transfer"))

    def _campaign(self, fault: Fault) -> None:
        self.tell(self._victim(fault), v.Campaign())

    def _membership(self, fault: Fault) -> None:
        self._tell_leader(v.ChangeMembership(fault.members, fault.others))

    def _tell_leader(self, event: v.Event) -> None:
        for member in self.members.values():
            if member.server is not None and member.server.role is Role.LEADER:
                self.tell(member, event)

    def heal(self) -> None:
        """From now on nothing goes wrong: links carry, disks store, whoever is down starts."""
        self.healed, self._reads_until = True, 0.0
        self.network.heal()
        for member in self.members.values():
            member.disk.full, member.disk.slow_ms, member.disk.broken = False, 0.0, False
            member.paused_until = self.now
            member.set_rate(self.now, 1.0)
            if member.server is None:
                self.start(member)

    def _is_well(self) -> bool:
        return not self._what_is_missing()

    def _what_is_missing(self) -> str:
        """What the healed cluster has not achieved yet."""
        leaders = [m.server for m in self.members.values() if m.server is not None and m.server.role is Role.LEADER]
        if not leaders:
            return "nobody leads"
        leader = max(leaders, key=lambda server: server.term)
        if leader.configuration.outgoing or leader.change is not None:
            return "a change of membership goes on for ever"
        if not self._markers and self._proposed and not any(self.history.acknowledged):
            return "nothing was acknowledged"
        if self.history.commit_index == 0 or self.history.committed[-1].term != leader.term:
            return f"{leader.member} leads and commits nothing"
        behind = [
            name
            for name in leader.configuration.members
            if self.members[name].applied < leader.commit_index - 5
            or (server := self.members[name].server) is None
            or server.leader != leader.member
        ]
        return f"{', '.join(sorted(behind))} do not follow" if behind else ""


_FAULTS: dict[FaultKind, Callable[[World, Fault], None]] = {
    FaultKind.CRASH: World._crash,
    FaultKind.PAUSE: World._pause,
    FaultKind.PARTITION: World._partition,
    FaultKind.CUT: World._cut,
    FaultKind.LOSS: lambda world, fault: world._disturb("loss")(fault),
    FaultKind.DELAY: lambda world, fault: world._disturb("extra_ms")(fault),
    FaultKind.DUPLICATE: lambda world, fault: world._disturb("duplication")(fault),
    FaultKind.DISK_FULL: World._disk_full,
    FaultKind.DISK_SLOW: World._disk_slow,
    FaultKind.DISK_BROKEN: World._disk_broken,
    FaultKind.DRIFT: World._drift,
    FaultKind.SNAPSHOT: World._snapshot,
    FaultKind.TRANSFER: World._transfer,
    FaultKind.CAMPAIGN: World._campaign,
    FaultKind.MEMBERSHIP: World._membership,
    FaultKind.OVERTAKE: World._overtake,
}


def run(plan: Plan, record: Record | None = None) -> Outcome:
    """Play a plan and say how it went; whatever the code under test raises is a problem too."""
    world = World(plan, record)
    problem = ""
    try:
        world.run()
    except Violation as violation:
        problem = str(violation)
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
    return Outcome(
        seed=plan.seed,
        problem=problem,
        steps=world.steps,
        commits=world.history.commit_index,
        acknowledged=world.acknowledged,
        reads=world.reads,
        elections=len(world.history.leaders),
        ended_ms=world.now,
    )
