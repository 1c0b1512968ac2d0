"""How the text of a key is read: what slurmctld takes as a value of it, seen with 22.05 and 24.11.

A kind has a name for the tables of the documentation and a function that turns text into a value or raises ValueError
with what would have been right. Numbers may be octal or hexadecimal as in C; those of 32 bits and more may end in k, m
or g, which stand for powers of 1024; "unlimited" and "infinite" are the largest number of the width.
"""

import re
from collections.abc import Callable

import msgspec

import flurm.config.values as v
from flurm.config.numbers import whole_number
from flurm.config.show_fields import (
    DEBUG_FLAGS,
    ENFORCE_BITS,
    LEVELS,
    PREEMPT_BITS,
    PROLOG_BITS,
    RESET,
    SELECT_BITS,
)


class Kind(msgspec.Struct, frozen=True):
    """A way to read text: its name, and the function that reads it."""

    name: str
    parse: Callable[[str], object]


def yes_or_no(text: str) -> bool:
    """Read Slurm's words for a truth: yes, up, true, 1 and their opposites."""
    word = text.lower()
    if word in ("yes", "up", "true", "1"):
        return True
    if word in ("no", "down", "false", "0"):
        return False
    raise ValueError("expected YES or NO")


def _words(words: dict[str, int], also: tuple[str, ...] = ()) -> Callable[[str], str]:
    known = {each.lower() for each in (*words, *also)}

    def parse(text: str) -> str:
        for word in v.strings(text):
            if word.lower() not in known:
                raise ValueError(f"expected one or more of {v.listing(words)}")
        return text

    return parse


def _level(text: str) -> int:
    by_lower = dict(LEVELS.words)
    if text.isdigit() and int(text) < len(by_lower):
        return int(text)
    if text.lower() not in by_lower:
        raise ValueError(f"expected one of {v.listing(by_lower)}, or its number")
    return by_lower[text.lower()]


def _word(*words: str) -> Callable[[str], object]:
    return v.one_of(*words)


def _ports(text: str) -> str:
    low, dash, high = text.partition("-")
    if not low.isdigit() or not 0 < int(low) < 65536 or (dash and (not high.isdigit() or int(high) > 65535)):
        raise ValueError("expected a port from 1 to 65535, or a range of them")
    return text


def _controller(text: str) -> str:
    if re.fullmatch(r"[^()\s]+(\([^()\s]+\))?", text) is None:
        raise ValueError("expected name or name(address)")
    return text


def _span(text: str) -> object:
    return v.seconds(text)


def _debug_flags(text: str) -> str:
    known = {each.lower() for each in DEBUG_FLAGS}
    for word in v.strings(text):
        if word.lower() not in known | _OTHER_DEBUG_FLAGS:
            raise ValueError(f"expected debug flags, {word} is none")
    return text


_OTHER_DEBUG_FLAGS = {
    "auditrpcs", "auditjobs", "audittls", "conmgr", "glob_silence", "namespace", "sack", "tls", "jobaccount", "reset",
    "nodefeatures", "power", "powersave", "dbd_agent", "jobcomp", "metrics", "cputopology", "select_type", "steps",
}  # fmt: skip

_RLIMITS = ("ALL", "NONE", "AS", "CORE", "CPU", "DATA", "FSIZE", "MEMLOCK", "NOFILE", "NPROC", "RSS", "STACK")
_STATES = ("UNKNOWN", "CLOUD", "DOWN", "DRAIN", "EXTERNAL", "FAIL", "FAILING", "FUTURE", "IDLE")

KINDS = {
    each.name: each
    for each in (
        Kind("text", lambda text: text),
        Kind("u16", whole_number(16)),
        Kind("u32", whole_number(32)),
        Kind("u64", whole_number(64)),
        Kind("yes/no", yes_or_no),
        Kind("level", _level),
        Kind("minutes", v.minutes),
        Kind("seconds", _span),
        Kind("accounting plugin", _word("accounting_storage/none", "accounting_storage/slurmdbd")),
        Kind("preempt plugin", _word("preempt/none", "preempt/partition_prio", "preempt/qos")),
        Kind("rlimits", _words(dict.fromkeys(_RLIMITS, 0))),
        Kind("controller", _controller),
        Kind("port", v.port),
        Kind("ports", _ports),
        Kind("enforce", _words(dict(ENFORCE_BITS.words), ("all", "0", "1", "2", "associations", "accounts", "qos"))),
        Kind("select", _words(dict(SELECT_BITS.words), ("LL_SHARED_GRES", "ENFORCE_BINDING_GRES",
             "ONE_TASK_PER_SHARING_GRES", "MULTIPLE_SHARING_GRES_PJ", "CR_ENFORCE_BINDING_GRES", "OTHER_CONS_TRES"))),
        Kind("preempt", _words(dict(PREEMPT_BITS.words), ("checkpoint", "priority"))),
        Kind("prolog flags", _words(dict(PROLOG_BITS.words))),
        Kind("debug flags", _debug_flags),
        Kind("reset", _word(*RESET.words)),
        Kind("part limits", v.enforce_part_limits),
        Kind("node state", _word(*_STATES)),
        Kind("partition state", _word("UP", "DOWN", "DRAIN", "INACTIVE")),
        Kind("sharing", v.over_subscribe),
    )
}  # fmt: skip
