"""Which version of the state machine the members apply entries with.

Each member knows which versions it can do and says so with every answer to its leader. The version in force is a matter
of the applied state; its owner tells the server. A leader appends a MACHINE_VERSION entry as soon as every member,
learners among them, has lately said that it can do a newer one, and never before: whoever applies the log then switches
at that entry. A newcomer that cannot do the version in force does not become a voter.
"""

from __future__ import annotations

from flurm.raft import replication
from flurm.raft.events import MachineKnown
from flurm.raft.member import Member
from flurm.raft.records import EntryKind


def encode(version: int) -> bytes:
    """The payload of a MACHINE_VERSION entry."""
    return b"%d" % version


def decode(payload: bytes) -> int:
    """The reverse of ``encode``. Raises ValueError."""
    return int(payload)


def known(me: Member, event: MachineKnown) -> None:
    """The owner of the state says what is in force, and what this member can do."""
    me.machine_version, me.machines = event.in_force, event.supported


def in_force(me: Member) -> int:
    """The version that counts at the end of the leader's log; 0 while that is not known."""
    return max(me.machine_version, me.machine_proposed)


def advance(me: Member) -> None:
    """After any event of a leader: switch to what all can do by now."""
    if not me.machine_version or me.machines[1] <= in_force(me):
        return
    if me.transfer is not None or me.change is not None or me.outgoing or not replication.has_committed(me):
        return
    ranges = [_lately_said(me, name) for name in me.others]
    able = [me.machines, *(each for each in ranges if each is not None)]
    version = min(newest for _, newest in able)
    if len(able) > len(ranges) and version > in_force(me) and all(oldest <= version for oldest, _ in able):
        me.machine_proposed = version
        me.append([me.next_entry(EntryKind.MACHINE_VERSION, encode(version))])


def _lately_said(me: Member, name: str) -> tuple[int, int] | None:
    progress = me.progress.get(name)
    return progress.machines if progress is not None and replication.answers(me, progress) else None


def unfit(me: Member, name: str) -> str:
    """Why a member cannot be a voter of this cluster; empty where it can, or has not said anything yet."""
    progress, version = me.progress.get(name), in_force(me)
    if progress is None or progress.machines is None or not version:
        return ""
    oldest, newest = progress.machines
    if oldest <= version <= newest:
        return ""
    return f"the cluster's state machine is at version {version}, {name} knows {oldest} to {newest}: upgrade it first"
