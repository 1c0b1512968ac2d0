"""The documented consensus calls: how the controllers of the cluster are, and changes to who they are and who leads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.net import members
from actors.net.members import Members
from flurm.console.fleet import About, Fleet
from flurm.console.refused import Refused
from flurm.console.show import plain
from flurm.raft.records import Status

__all__ = ["Consensus"]


class Consensus:
    """The controllers of the cluster."""

    def __init__(self, system: Any) -> None:
        self._system = system

    def __repr__(self) -> str:
        return "<Consensus: status, cluster_status, transfer_leadership, force_election, add_member, remove_member>"

    def status(self) -> dict[str, Any]:
        """This controller: role, term, leader, and how far the log is committed and durable."""
        return plain(self._members.status())

    def cluster_status(self) -> dict[str, Any]:
        """All members: who leads, who votes, how far each one is, its release, and the state machine's versions: those
        that it can do, and the one in force."""
        status = self._members.status()
        leads = status.leader == status.member
        names = tuple(sorted(status.configuration.members))
        configured = self._system.env["configurations"].of(names)
        differing = [name for name, found in configured.items() if found == "DIFFERS"]
        cluster = self._system.terms.get("cluster")
        about = self._fleet.about_all(names)
        return {
            "leader": status.leader or "none",
            "term": status.term,
            "asked": status.member,
            "commit_index": status.commit_index,
            **({"warning": _DIFFERING.format(", ".join(differing))} if differing else {}),
            "machine_version": cluster.machine_version if cluster is not None else 0,
            "members": [
                _member_row(name, status) | _about(about[name]) | {"configuration": configured[name]} for name in names
            ],
            **({} if leads else {"note": "only the leader knows how far the others are: ask it"}),
        }

    def transfer_leadership(self, to: str | None = None) -> str:
        """Hand leadership over to a member, or to whoever has most of the log."""
        return self._change(lambda: f"{self._members.transfer(to)} leads")

    def force_election(self) -> str:
        """Have this controller stand for election now, whoever leads."""
        return self._change(lambda: f"{self._members.take_over()} leads")

    def add_member(self, name: str, address: str) -> str:
        """Take a controller in: it gets the log first, then it votes. `address` is host:port of its raft_port."""
        return self._change(lambda: f"{self._members.add(name, address)} is a member")

    def remove_member(self, name: str) -> str:
        """Let a controller go."""
        return self._change(lambda: f"{self._members.remove(name)} is no member any more")

    @property
    def _members(self) -> Members:
        members: Members = self._system.env["members"]
        return members

    @property
    def _fleet(self) -> Fleet:
        fleet: Fleet = self._system.env["fleet"]
        return fleet

    def _change(self, change: Callable[[], str]) -> str:
        try:
            return change()
        except members.Refused as error:
            raise Refused(str(error)) from None


_DIFFERING = (
    "the configuration files of {} are not what the cluster runs: make them what the others have, then "
    "`scontrol reconfigure`"
)


def _about(about: About | None) -> dict[str, Any]:
    if about is None:
        return {"release": "?", "machine": "?"}
    return {
        "release": about.release,
        "machine": f"{about.oldest}-{about.newest}",
        "applied": about.applied_index,
    }


def _member_row(name: str, status: Status) -> dict[str, Any]:
    configuration = status.configuration
    progress = status.progress.get(name)
    role = "leader" if name == status.leader else "voter" if name in configuration.voters else "learner"
    if configuration.outgoing and name not in configuration.voters and name in configuration.outgoing:
        role = "leaving"
    return {
        "member": name,
        "role": role,
        "address": configuration.addresses.get(name, ""),
        **({} if progress is None else {"match": progress.match_index, "phase": progress.phase}),
    }
