"""A run of ``raft_world`` written down step by step, in the form that ``specs.traces`` reads.

The first record names the cluster and the second how every member begins; each further one is a step of one member:
what happened, when, and of every member that looks other than before how it looks now. What a disk holds is seen as a
restart would find it, with what its snapshot stands for taken from what the cluster has agreed on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from flurm.raft import events as v
from flurm.raft.records import Configuration, Entry, EntryKind, HardState, Role
from flurm.simulation.raft_world import Member, World


class Recorder:
    """Hands each record of a run, as plain values, to ``write``."""

    def __init__(self, write: Callable[[dict[str, Any]], object]) -> None:
        self._write = write
        self._logs: dict[str, list[Entry]] = {}
        self._states: dict[str, dict[str, Any]] = {}

    def begin(self, world: World) -> None:
        """The cluster, before anybody has started."""
        plan = world.plan
        self._write({"members": plan.everybody, "voters": plan.voters, "seed": plan.seed})
        self._write({"action": "begin", "step": 0, "at_ms": 0.0, "members": self._changed(world)})

    def note(self, world: World, member: Member, event: v.Event | None) -> None:
        """An event has happened to a member; None: it has crashed."""
        kind, fields = _told(event)
        self._write(
            {
                "action": f"{member.name}: {kind}",
                "step": world.steps,
                "at_ms": round(world.now, 3),
                "event": fields,
                "members": self._changed(world),
            }
        )

    def _changed(self, world: World) -> dict[str, dict[str, Any]]:
        changed = {}
        for name, member in world.members.items():
            log = _log(world, member)
            before = self._logs.get(name, [])
            state = _state(member)
            if state == self._states.get(name) and log == before:
                continue
            kept = _common(before, log)
            self._states[name], self._logs[name] = state, log
            changed[name] = {**state, "kept": kept, "log": [_entry(entry) for entry in log[kept:]]}
        return changed


def _state(member: Member) -> dict[str, Any]:
    """What a member goes by and what its disk says of term and vote; one that still reads its disk is not there yet."""
    server, saved = member.server, member.disk.hard_state
    alive = server is not None and server.role is not Role.RECOVERING
    return {
        "alive": alive,
        "role": server.role.value if server is not None and alive else "follower",
        "term": server.term if server is not None and alive else saved.term,
        "voted_for": server.hard_state.voted_for if server is not None and alive else saved.voted_for,
        "saved_term": saved.term,
        "saved_vote": saved.voted_for,
        "commit": server.commit_index if server is not None and alive else 0,
    }


def _log(world: World, member: Member) -> list[Entry]:
    disk = member.disk
    if disk.continues_snapshot:
        return world.history.committed[: disk.base_index] + disk.entries
    return world.history.committed[: disk.snapshot.index]


def _common(before: list[Entry], now: list[Entry]) -> int:
    most = min(len(before), len(now))
    if before[:most] == now[:most]:
        return most
    return next(index for index in range(most) if before[index] != now[index])


def _entry(entry: Entry) -> tuple[Any, ...]:
    if entry.kind is EntryKind.CONFIGURATION:
        configuration = Configuration.decode(entry.payload)
        return entry.term, "configuration", configuration.voters, configuration.outgoing
    return entry.term, entry.kind.name.lower()


def _told(event: v.Event | None) -> tuple[str, dict[str, Any]]:
    """An event's kind, and its fields, readable and small."""
    if event is None:
        return "crash", {}
    told: Any = event.message if isinstance(event, v.Received) else event
    return type(told).__name__, {name: _plain(value) for name, value in msgspec.structs.asdict(told).items()}


def _plain(value: Any) -> Any:
    match value:
        case tuple():
            return [_plain(item) for item in value]
        case Entry():
            return {"index": value.index, "term": value.term, "kind": value.kind.name}
        case Configuration():
            return {"voters": value.voters, "learners": value.learners, "outgoing": value.outgoing}
        case HardState():
            return {"term": value.term, "voted_for": value.voted_for}
        case bytes():
            return value.decode("latin-1")
    return getattr(value, "value", value)
