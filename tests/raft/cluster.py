"""A few members in one thread for tests that read as conversations: messages and appends wait until the test lets them
happen, in whatever order it likes.

``storage`` answers at once unless it is told to ``hold``; the network delivers when ``deliver`` is called and forgets
what is to or from a member that is ``cut_off``.
"""

from __future__ import annotations

from flurm.raft import effects as e
from flurm.raft import events as v
from flurm.raft.limits import Limits, Timing
from flurm.raft.messages import InstallSnapshot
from flurm.raft.records import Configuration, Entry, HardState, Role
from flurm.raft.server import RaftServer

TICK_MS = 10


class Host:
    """One member with its disk: what it was told to do, and what came of it."""

    def __init__(self, name: str, configuration: Configuration, limits: Limits, timing: Timing) -> None:
        self.name = name
        self.timing = timing
        self.origin = configuration
        self.limits = limits
        self.hard_state = HardState()
        self.disk: list[Entry] = []
        self.snapshot: tuple[int, int, Configuration] | None = None
        self.data = b""
        self.received = b""
        self.held: list[v.Event] | None = None
        self.applied: list[Entry] = []
        self.done: list[e.Effect] = []
        self.restart()

    def restart(self) -> None:
        """Come up with what is on disk."""
        self.server = RaftServer(self.name, self.origin, self.timing, self.limits, seed=7)
        self.applied = []
        index, term, configuration = self.snapshot or (0, 0, None)
        self.recovery = v.Recovered(self.hard_state, index, term, tuple(self.disk), configuration)

    def hold(self) -> None:
        """The disk becomes slow: answers wait for ``release``."""
        self.held = []

    def take_answers(self) -> list[v.Event]:
        answers, self.held = self.held or [], None
        return answers

    @property
    def commands(self) -> list[bytes]:
        """What has been applied."""
        return [entry.payload for entry in self.applied if entry.payload and entry.kind == 1]

    def store(self, append: e.Append) -> v.Event:
        if append.hard_state is not None:
            self.hard_state = append.hard_state
        if append.entries:
            first = append.entries[0].index
            self.disk = [entry for entry in self.disk if entry.index < first] + list(append.entries)
        base = (self.snapshot or (0, 0, None))[:2]
        last = (self.disk[-1].index, self.disk[-1].term) if self.disk else base
        return v.Appended(*last, append.hard_state, append.epoch)


class Cluster:
    """Members that talk to each other, and a clock that the test moves."""

    def __init__(
        self,
        voters: str,
        learners: str = "",
        others: str = "",
        limits: Limits = Limits(),  # noqa: B008
        timing: Timing = Timing(),  # noqa: B008
    ) -> None:
        configuration = Configuration(tuple(voters), tuple(learners))
        self.hosts = {name: Host(name, configuration, limits, timing) for name in voters + learners}
        self.hosts |= {name: Host(name, Configuration(), limits, timing) for name in others}
        self.now_ms = 0
        self.mail: list[e.Send] = []
        self.cut_off: set[str] = set()
        for name in self.hosts:
            self.start(name)

    def __getitem__(self, name: str) -> RaftServer:
        return self.hosts[name].server

    def start(self, name: str) -> None:
        self.tell(name, self.hosts[name].recovery)
        self.tell(name, v.Tick(self.now_ms))

    def restart(self, name: str) -> None:
        self.hosts[name].restart()
        self.start(name)

    def tell(self, name: str, event: v.Event) -> list[e.Effect]:
        """Have an event happen to a member and carry out what it does, except sending; what it did in all."""
        host, did = self.hosts[name], []
        events = [event]
        while events:
            for effect in host.server.handle(events.pop(0)):
                did.append(effect)
                events += self._carry_out(host, effect)
        host.done += did
        return did

    def _carry_out(self, host: Host, effect: e.Effect) -> list[v.Event]:
        answer: v.Event | None = None
        match effect:
            case e.Send():
                self.mail.append(effect)
            case e.Append():
                answer = host.store(effect)
            case e.Commit(entries):
                host.applied += entries
            case e.SendChunk():
                self._send_chunk(host, effect)
            case e.TakeSnapshot():
                answer = self.snapshot(host.name)
            case e.StoreChunk():
                answer = self._store_chunk(host, effect)
        if answer is None:
            return []
        if host.held is not None:
            host.held.append(answer)
            return []
        return [answer]

    def snapshot(self, name: str) -> v.SnapshotTaken:
        """Take a snapshot of what is applied."""
        host = self.hosts[name]
        last = host.applied[-1]
        host.snapshot = (last.index, last.term, host.server.configuration_at(last.index))
        host.data = b"/".join(host.commands)
        host.disk = [entry for entry in host.disk if entry.index > last.index]
        return v.SnapshotTaken(last.index, last.term)

    def _send_chunk(self, host: Host, effect: e.SendChunk, size: int = 4) -> None:
        index, term, configuration = host.snapshot
        offset = effect.offset if effect.index == index else 0
        data = host.data[offset : offset + size]
        done = offset + size >= len(host.data)
        message = InstallSnapshot(host.name, effect.term, index, term, configuration, offset, data, done, effect.round)
        self.mail.append(e.Send(effect.to, message))

    def _store_chunk(self, host: Host, effect: e.StoreChunk) -> v.Event:
        host.received = host.received[: effect.offset] + effect.data
        if not effect.done:
            return v.ChunkStored(effect.index, len(host.received))
        host.snapshot = (effect.index, effect.term, effect.configuration)
        host.data, host.disk = host.received, []
        host.applied = [Entry(effect.index, effect.term, 1, data) for data in host.data.split(b"/")]
        return v.SnapshotStored(effect.index, effect.term, effect.configuration)

    def release(self, name: str) -> None:
        """A slow disk has caught up."""
        for answer in self.hosts[name].take_answers():
            self.tell(name, answer)

    def deliver(self, rounds: int = 50) -> None:
        """Deliver messages until there are no more, or for ``rounds`` of them going to and fro."""
        for _ in range(rounds):
            mail, self.mail = self.mail, []
            if not mail:
                return
            for sent in mail:
                self.deliver_one(sent)

    def deliver_one(self, sent: e.Send) -> None:
        if not self.cut_off & {sent.to, sent.message.sender} and sent.to in self.hosts:
            self.tell(sent.to, v.Received(sent.message))

    def tick(self, name: str, ms: int) -> None:
        """Let time pass for one member alone."""
        self.tell(name, v.Tick(self[name].now_ms + ms))

    def run(self, ms: int) -> None:
        """Let time pass for all, with messages delivered as they come."""
        for _ in range(ms // TICK_MS):
            self.now_ms += TICK_MS
            for name in self.hosts:
                self.tell(name, v.Tick(self.now_ms))
            self.deliver()

    def propose(self, name: str, *payloads: bytes) -> None:
        for payload in payloads:
            self.tell(name, v.Propose(payload, payload))

    @property
    def leaders(self) -> list[str]:
        return [name for name, host in self.hosts.items() if host.server.role is Role.LEADER]

    def elect(self, name: str) -> None:
        """Make ``name`` the leader."""
        self.tell(name, v.Campaign())
        self.deliver()
        assert self.leaders == [name]
        self.run(60)

    def did(self, name: str, kind: type) -> list:
        """What a member did of one kind, oldest first."""
        return [effect for effect in self.hosts[name].done if isinstance(effect, kind)]
