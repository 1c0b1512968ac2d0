"""Names of users and groups, looked up once and remembered for a while."""

from __future__ import annotations

import grp
import pwd
import time
from collections.abc import Callable

REMEMBER_S = 300.0


class SystemNames:
    """The host's user and group names. Safe for many threads: each look-up is one dict operation."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], tuple[float, str | None]] = {}

    def user(self, uid: int) -> str | None:
        """The name of a user, None where it has none."""
        return self._look_up("user", uid, lambda: pwd.getpwuid(uid).pw_name)

    def group(self, gid: int) -> str | None:
        """The name of a group, None where it has none."""
        return self._look_up("group", gid, lambda: grp.getgrgid(gid).gr_name)

    def _look_up(self, kind: str, number: int, find: Callable[[], str]) -> str | None:
        known = self._known.get((kind, number))
        now_s = time.monotonic()
        if known is not None and now_s - known[0] < REMEMBER_S:
            return known[1]
        try:
            name = find()
        except (KeyError, OverflowError):
            name = None
        self._known[kind, number] = (now_s, name)
        return name
