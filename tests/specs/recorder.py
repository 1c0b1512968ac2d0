"""Runs real Raft servers on a made-up network and disks, at random but the same for the same seed, and records them.

Everything that may go wrong does: messages are lost, doubled and overtake each other, members crash with appends
unwritten, leadership is handed over, members are added and removed. What is recorded is what `specs.traces` checks.
"""

from __future__ import annotations

import random
from collections import deque
from typing import Any

from flurm.raft import effects as e
from flurm.raft import events as v
from flurm.raft.records import Configuration, Entry, EntryKind, HardState, Role
from flurm.raft.server import RaftServer
from specs.traces import MemberState, Recording, Step

_WEIGHTS = {"tick": 30, "deliver": 90, "lose": 3, "double": 3, "write": 60, "propose": 10, "crash": 1, "restart": 4,
            "transfer": 1, "change": 1}  # fmt: skip


class Host:
    """A member, its disk, and the appends that the disk has not got round to."""

    def __init__(self, name: str, origin: Configuration, seed: int) -> None:
        self.name, self.origin, self.seed = name, origin, seed
        self.saved = HardState()
        self.disk: list[Entry] = []
        self.waiting: deque[e.Append] = deque()
        self.server: RaftServer | None = None

    def state(self) -> MemberState:
        server = self.server
        return MemberState(
            alive=server is not None,
            role=server.role.value if server else "follower",
            term=server.term if server else self.saved.term,
            voted_for=server.hard_state.voted_for if server else self.saved.voted_for,
            saved_term=self.saved.term,
            saved_vote=self.saved.voted_for,
            log=tuple(_entry(entry) for entry in self.disk),
            commit=server.commit_index if server else 0,
        )

    def write(self) -> v.Appended:
        """The oldest append becomes durable."""
        append = self.waiting.popleft()
        if append.hard_state is not None:
            self.saved = append.hard_state
        if append.entries:
            self.disk = self.disk[: append.entries[0].index - 1] + list(append.entries)
        last = (self.disk[-1].index, self.disk[-1].term) if self.disk else (0, 0)
        return v.Appended(*last, append.hard_state, append.epoch)


def _entry(entry: Entry) -> tuple[Any, ...]:
    if entry.kind is EntryKind.CONFIGURATION:
        configuration = Configuration.decode(entry.payload)
        return entry.term, "configuration", configuration.voters, configuration.outgoing
    return entry.term, entry.kind.name.lower()


class Recorder:
    """A cluster of `voters` among `members`; `run` lets that many things happen."""

    def __init__(self, seed: int, members: str = "abcd", voters: str = "abc") -> None:
        self.random = random.Random(seed)
        self.voters = tuple(voters)
        self.now_ms = 0
        self.mail: list[e.Send] = []
        self.hosts = {name: Host(name, Configuration(self.voters if name in voters else ()), seed) for name in members}
        self.steps: list[Step] = []
        for name in self.hosts:
            self._restart(name)
        self._record("start", set(self.hosts))

    def run(self, events: int) -> Recording:
        for _ in range(events):
            action = self.random.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
            changed = getattr(self, f"_{action}_one")()
            if changed:
                self._record(action, {changed})
        return Recording(tuple(self.hosts), self.voters, tuple(self.steps))

    def _record(self, action: str, names: set[str]) -> None:
        known: dict[str, MemberState] = {}
        for step in self.steps:
            known.update(step.members)
        states = {name: self.hosts[name].state() for name in sorted(names)}
        states = {name: state for name, state in states.items() if known.get(name) != state}
        if states:
            self.steps.append(Step(action, states))

    def _tell(self, name: str, event: v.Event) -> str:
        host = self.hosts[name]
        assert host.server is not None
        for effect in host.server.handle(event):
            match effect:
                case e.Send():
                    self.mail.append(effect)
                case e.Append():
                    host.waiting.append(effect)
        return name

    def _restart(self, name: str) -> str:
        host = self.hosts[name]
        host.server = RaftServer(name, host.origin, seed=host.seed)
        self._tell(name, v.Recovered(host.saved, entries=tuple(host.disk)))
        return self._tell(name, v.Tick(self.now_ms))

    def _pick(self, alive: bool = True, role: Role | None = None) -> str | None:
        fitting = [
            name
            for name, host in self.hosts.items()
            if (host.server is not None) is alive and (role is None or (host.server and host.server.role is role))
        ]
        return self.random.choice(fitting) if fitting else None

    def _tick_one(self) -> str | None:
        self.now_ms += self.random.randint(1, 30)
        name = self._pick()
        return self._tell(name, v.Tick(self.now_ms)) if name else None

    def _deliver_one(self, keep: bool = False) -> str | None:
        if not self.mail:
            return None
        index = self.random.randrange(min(len(self.mail), 8))
        sent = self.mail[index] if keep else self.mail.pop(index)
        if sent.to not in self.hosts or self.hosts[sent.to].server is None:
            return None
        return self._tell(sent.to, v.Received(sent.message))

    def _double_one(self) -> str | None:
        return self._deliver_one(keep=True)

    def _lose_one(self) -> None:
        if self.mail:
            self.mail.pop(self.random.randrange(len(self.mail)))

    def _write_one(self) -> str | None:
        busy = [name for name, host in self.hosts.items() if host.waiting and host.server]
        if not busy:
            return None
        name = self.random.choice(busy)
        return self._tell(name, self.hosts[name].write())

    def _propose_one(self) -> str | None:
        name = self._pick(role=Role.LEADER)
        return self._tell(name, v.Propose(b"x", None)) if name else None

    def _transfer_one(self) -> str | None:
        name = self._pick(role=Role.LEADER)
        return self._tell(name, v.TransferLeadership()) if name else None

    def _change_one(self) -> str | None:
        name = self._pick(role=Role.LEADER)
        voters = tuple(sorted(self.random.sample(sorted(self.hosts), 3)))
        return self._tell(name, v.ChangeMembership(voters)) if name else None

    def _crash_one(self) -> str | None:
        name = self._pick()
        if name is not None:
            self.hosts[name].server = None
            self.hosts[name].waiting.clear()
        return name

    def _restart_one(self) -> str | None:
        name = self._pick(alive=False)
        return self._restart(name) if name else None
