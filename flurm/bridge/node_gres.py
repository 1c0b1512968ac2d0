"""Generic resources of nodes: what a registration says was found, beside what the node is configured to have."""

from __future__ import annotations

import re

from protocol.codec import unpack
from protocol.errors import DecodeError
from protocol.messages.gres import GresFound, GresFoundList

__all__ = ["configured", "found_list", "shortage"]

_COUNT = re.compile(r"(\d+)([kmgtp]?)", re.IGNORECASE)
_UNITS = {unit: 1024**power for power, unit in enumerate(("", "k", "m", "g", "t", "p"))}
_SOCKETS = re.compile(r"\([^)]*\)")


def configured(text: str | None) -> dict[tuple[str, str | None], int]:
    """(name, type) -> count of a node's Gres, `name[:type][:no_consume][:count],...`; no count is one."""
    found: dict[tuple[str, str | None], int] = {}
    for part in _SOCKETS.sub("", text or "").split(","):
        name, *rest = [word for word in part.strip().split(":") if word and word != "no_consume"] or [""]
        if not name:
            continue
        last = _COUNT.fullmatch(rest[-1]) if rest else None
        count = int(last[1]) * _UNITS[last[2].lower()] if last else 1
        kinds = rest[:-1] if last else rest
        key = name, kinds[0] if kinds else None
        found[key] = found.get(key, 0) + count
    return found


def shortage(text: str | None, gres_info: bytes, version: int) -> str | None:
    """Why a node with this Gres is to be drained: its daemon has found less of something. None: it has found enough.

    Raises nothing: an account that can not be read is one of nothing.
    """
    wanted = _by_name(configured(text))
    if not wanted:
        return None
    counts: dict[str, int] = {}
    for each in _read(gres_info, version):
        counts[each.name or ""] = counts.get(each.name or "", 0) + each.count
    for name, count in wanted.items():
        if counts.get(name, 0) < count:
            return f"gres/{name} count reported lower than configured ({counts.get(name, 0)} < {count})"
    return None


def _by_name(counts: dict[tuple[str, str | None], int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for (name, _), count in counts.items():
        found[name] = found.get(name, 0) + count
    return found


def _read(gres_info: bytes, version: int) -> list[GresFound]:
    try:
        return unpack(GresFoundList, bytes(gres_info), version).rec if gres_info else []
    except DecodeError:
        return []


def found_list(text: str | None, cpus: int, version: int) -> GresFoundList:
    """The account of a daemon that takes its node's Gres for granted, as slurmd does without a gres.conf."""
    records = [
        GresFound(count=count, cpu_cnt=cpus, plugin_id=_plugin_id(name), name=name, type_name=kind)
        for (name, kind), count in configured(text).items()
    ]
    return GresFoundList(version, records)


def _plugin_id(name: str) -> int:
    """The number of a kind: the letters of its name added up, each group of four as one number."""
    return sum(ord(letter) << 8 * (place % 4) for place, letter in enumerate(name)) & 0xFFFFFFFF
