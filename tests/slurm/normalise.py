"""Takes out of an output what must differ from one run to the next, and nothing else.

Job ids become `<J+0>`, `<J+1>` ..., counted from the lowest id that the story saw; times near now become `<time>` (a
date that the story itself chose stays), elapsed seconds become zero. What only one story needs is a `hide` line there.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence

JOB_ID = re.compile(r"(?<!\d)(?<!\b0\.)7\d{4}(?!\d)")
_DATE_TIME = re.compile(r"(?<!\d)(\d{4})-(\d\d)-(\d\d)T\d\d:\d\d:\d\d")
_EPOCH = re.compile(r"(?<!\d)1[78]\d{8}(?![\d.])")
_NEAR_S = 30 * 86400

_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), text)
    for pattern, text in (
        (r"(?<![\d:-])00:00:[0-5]\d(?![\d:])", "00:00:00"),
        (r"(?<![\d:.=-])0:[0-5]\d(?![\d:])", "0:00"),
        (r"(?<!\d)429490\d{4}(?!\d)", "<priority>"),
        (r"(AllocNode:Sid=\S+?):\d+", r"\1:<sid>"),
        (r"\bScheduler=(Main|Backfill)(:\*)?", "Scheduler=<scheduler>"),
        (r"\bAccrueTime=\S+", "AccrueTime=<accrue>"),
        (r"\bState=(\w+)\+PLANNED", r"State=\1"),
        (r"\b(22\.05|24\.11)\.\d+", "<version>"),
        (r"\bVersion=\S+", "Version=<version>"),
        (r"\bOS=.*", "OS=<os>"),
        (r"\bCPULoad=\S+", "CPULoad=<load>"),
        (r"\bFreeMem=\S+", "FreeMem=<free>"),
    )
)


def base_of(texts: Iterable[str]) -> int:
    """The lowest job id in the texts; 0 where there is none."""
    return min((int(found) for text in texts for found in JOB_ID.findall(text)), default=0)


def normalise(text: str, base: int, hidden: Sequence[str] = ()) -> str:
    """`text` without what differs between runs; every group of a `hidden` pattern becomes `<...>`."""
    for pattern in hidden:
        text = re.sub(pattern, _hide_groups, text, flags=re.MULTILINE)
    text = JOB_ID.sub(lambda found: f"<J+{int(found[0]) - base}>", text)
    text = _DATE_TIME.sub(_hide_near_date, text)
    text = _EPOCH.sub(lambda found: "<epoch>" if _is_near(int(found[0])) else found[0], text)
    for rule, replacement in _RULES:
        text = rule.sub(replacement, text)
    return text


def _is_near(epoch_s: float) -> bool:
    return abs(epoch_s - time.time()) < _NEAR_S


def _hide_near_date(found: re.Match[str]) -> str:
    noon = time.mktime((int(found[1]), int(found[2]), int(found[3]), 12, 0, 0, 0, 0, -1))
    return "<time>" if _is_near(noon) else found[0]


def _hide_groups(found: re.Match[str]) -> str:
    text, end = "", found.start()
    for group in range(1, (found.re.groups or 0) + 1):
        if found.start(group) >= 0:
            text += found.string[end : found.start(group)] + "<...>"
            end = found.end(group)
    return text + found.string[end : found.end()]
