"""A release that goes through all controllers of a running cluster, one after the other, or not at all.

    1. every member must answer and lead to the same release; else nothing is begun
    2. the members that do not lead change over, one by one, each waited for until it has caught up with the others
    3. leadership goes to one of them, and the one that led changes over last
    4. what the release's state machine can do comes into force when the last member can do it, never before

Where a member fails, those that changed over go back to the release before, the last one first. What is done is said at
each step. What the cluster is, is behind `Cluster`: this only decides what comes next.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

CATCH_UP_S = 30.0
SWITCH_S = 10.0
POLL_S = 0.1
BACK = {"upgrade": "rollback"}


class MemberFailed(Exception):
    """A controller does not do what it is asked, or does not answer; the text says which and why."""


class RollingFailed(Exception):
    """Not all controllers changed over; the text says why and what runs now."""


class Cluster(Protocol):
    """The running cluster, by way of one of its controllers."""

    def status(self) -> dict[str, Any]:
        """What `flurm cluster status --json` shows. Raises MemberFailed."""

    def run(self, member: str, what: str, where: str = "") -> str:
        """Have a member `check` a release, `upgrade` to it or `rollback`. Raises MemberFailed."""

    def transfer(self, to: str) -> str:
        """Have a member lead. Raises MemberFailed."""


class Rolling:
    """One way through the cluster. `say` gets a line for each step."""

    def __init__(
        self,
        cluster: Cluster,
        say: Callable[[str], None],
        sleep: Callable[[float], None] = time.sleep,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster, self._say, self._sleep, self._now_s = cluster, say, sleep, now_s
        self._done: list[str] = []

    def check(self, where: str) -> None:
        """Whether every member could go to the release. Raises RollingFailed."""
        try:
            status = self._cluster.status()
            found = {name: self._cluster.run(name, "check", where) for name in _names(status)}
        except MemberFailed as error:
            raise RollingFailed(f"nothing was changed: {error}") from error
        if len(set(found.values())) > 1:
            each = "; ".join(f"{name}: {said}" for name, said in found.items())
            raise RollingFailed(f"nothing was changed: this is not the same release everywhere: {each}")
        for name, said in found.items():
            self._say(f"{name} could go to release {said}")

    def upgrade(self, where: str) -> None:
        """Go to a release on every member. Raises RollingFailed; then those that had changed over are back."""
        self.check(where)
        self._through("upgrade", where)
        self._await_switch()

    def rollback(self) -> None:
        """Go back to the release before on every member. Raises RollingFailed; then it stopped where it failed."""
        self._through("rollback", "")

    def _through(self, what: str, where: str) -> None:
        try:
            while (member := self._next()) is not None:
                self._say(f"{member}: {self._cluster.run(member, what, where)}")
                self._done.append(member)
                self._await_caught_up(member)
        except MemberFailed as error:
            raise RollingFailed(self._give_up(what, str(error))) from error

    def _next(self) -> str | None:
        """The member whose turn it is; leadership is moved away from it where it leads. None: all are done."""
        status = self._cluster.status()
        names, leader = _names(status), status["leader"]
        left = [name for name in names if name not in self._done]
        silent = [row["member"] for row in status["members"] if row["release"] == "?"]
        if silent:
            raise MemberFailed(f"{', '.join(silent)} does not answer")
        if not left:
            return None
        followers = [name for name in left if name != leader]
        if followers:
            return followers[0]
        if self._done:
            self._say(f"{leader} leads: leadership goes to {self._done[0]}")
            self._say(self._cluster.transfer(self._done[0]))
        return left[0]

    def _await_caught_up(self, member: str) -> None:
        """Nobody else changes over before this one has applied what all had applied when it was done."""
        status = self._cluster.status()
        index = max(row.get("applied", 0) for row in status["members"])
        deadline_s = self._now_s() + CATCH_UP_S
        while (applied := _row(status, member).get("applied", 0)) < index or status["leader"] == "none":
            if self._now_s() > deadline_s:
                raise MemberFailed(f"{member} has applied entry {applied} after {CATCH_UP_S:g} s, expected {index}")
            self._sleep(POLL_S)
            status = self._cluster.status()
        self._say(f"{member}: has caught up (entry {index})")

    def _await_switch(self) -> None:
        deadline_s = self._now_s() + SWITCH_S
        while True:
            status = self._cluster.status()
            able = min(int(row["machine"].rpartition("-")[2]) for row in status["members"] if row["machine"] != "?")
            if status["machine_version"] >= able or self._now_s() > deadline_s:
                break
            self._sleep(POLL_S)
        self._say(f"state machine: version {status['machine_version']} is in force")
        if status["machine_version"] < able:
            self._say(f"all can do version {able}: it comes into force when every member is heard by the leader")

    def _give_up(self, what: str, why: str) -> str:
        self._say(f"failed: {why}")
        if what not in BACK:
            return f"{why}; back on the release before: {', '.join(self._done) or 'none'}; see `flurm cluster status`"
        stuck = []
        for member in reversed(self._done):
            try:
                self._say(f"{member}: {self._cluster.run(member, BACK[what])}")
            except MemberFailed as error:
                self._say(f"{member}: {error}")
                stuck.append(member)
        if stuck:
            return f"{why}; not back on the release before: {', '.join(stuck)}: `flurm upgrade --rollback` there"
        return f"{why}; all controllers that answer run the release before"


def _names(status: dict[str, Any]) -> list[str]:
    return [row["member"] for row in status["members"]]


def _row(status: dict[str, Any], member: str) -> dict[str, Any]:
    return next((row for row in status["members"] if row["member"] == member), {})
