"""Who users and hosts are, as this machine knows them; answers are kept for a while, because they may be slow."""

from __future__ import annotations

import grp
import os
import pwd
import socket
import threading
import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, TypeVar

from protocol.messages.common import UserIdentity

__all__ = ["group_name", "groups_of", "host_of", "identity_of", "ids_of", "uid_of", "user_name"]

KEEP_S = 600.0
_MOST = 10_000

T = TypeVar("T")
_kept: dict[tuple[Any, ...], tuple[float, Any]] = {}
_lock = threading.Lock()


def user_name(uid: int) -> str | None:
    """The login name of a uid, None where there is none."""
    entry = _remembered(("user", uid), lambda: _or_none(pwd.getpwuid, uid))
    return entry.pw_name if entry else None


def group_name(gid: int) -> str | None:
    """The name of a gid, None where there is none."""
    entry = _remembered(("group", gid), lambda: _or_none(grp.getgrgid, gid))
    return entry.gr_name if entry else None


def groups_of(uid: int) -> frozenset[str]:
    """The names of all groups of a uid; none where there is no such user."""
    return _remembered(("groups", uid), lambda: _group_names(uid))


def _group_names(uid: int) -> frozenset[str]:
    entry = _or_none(pwd.getpwuid, uid)
    gids = os.getgrouplist(entry.pw_name, entry.pw_gid) if entry else []
    found = (_or_none(grp.getgrgid, gid) for gid in gids)
    return frozenset(each.gr_name for each in found if each)


def uid_of(name: str) -> int | None:
    """The uid of a login name or of a number, None where there is none."""
    if name.isdecimal() and len(name) <= 10:
        return int(name)
    entry = _remembered(("name", name), lambda: _or_none(pwd.getpwnam, name))
    return entry.pw_uid if entry else None


def ids_of(name: str) -> tuple[int, int] | None:
    """uid and gid of a login name or of a number, None where there is none."""
    if name.isdecimal():
        entry = _remembered(("user", int(name)), lambda: _or_none(pwd.getpwuid, int(name))) if len(name) <= 10 else None
    else:
        entry = _remembered(("name", name), lambda: _or_none(pwd.getpwnam, name))
    return (entry.pw_uid, entry.pw_gid) if entry else None


def identity_of(uid: int, gid: int) -> UserIdentity:
    """A user as launch credentials carry him; one who is not known here has nothing but his numbers."""
    entry, groups = _remembered(("identity", uid, gid), lambda: _look_up(uid, gid))
    if entry is None:
        return UserIdentity(uid=uid, gid=gid, gids=[gid])
    return UserIdentity(
        uid=uid, gid=gid, pw_name=entry.pw_name, pw_gecos=entry.pw_gecos, pw_dir=entry.pw_dir, pw_shell=entry.pw_shell,
        gids=list(groups),
    )  # fmt: skip


def host_of(address: str) -> str:
    """The short name of the host with this address, or the address where it has none; this host always has one."""
    return _remembered(("host", address), lambda: _host_name(address))


def _look_up(uid: int, gid: int) -> tuple[pwd.struct_passwd | None, list[int]]:
    entry = _or_none(pwd.getpwuid, uid)
    return entry, os.getgrouplist(entry.pw_name, gid) if entry else [gid]


def _host_name(address: str) -> str:
    try:
        return socket.gethostbyaddr(address)[0].partition(".")[0]
    except OSError:
        return socket.gethostname().partition(".")[0] if ip_address(address).is_loopback else address


def _or_none(look_up: Callable[[Any], T], key: Any) -> T | None:
    try:
        return look_up(key)
    except KeyError:
        return None


def _remembered(key: tuple[Any, ...], look_up: Callable[[], T]) -> T:
    now_s = time.monotonic()
    known = _kept.get(key)
    if known is not None and known[0] > now_s:
        return known[1]
    value = look_up()
    with _lock:
        if len(_kept) >= _MOST:
            _kept.clear()
        _kept[key] = (now_s + KEEP_S, value)
    return value
