"""Slurm's log levels, quiet (0) to debug5 (9), and which of ours they come nearest to (scontrol(1), setdebug)."""

import flurm.config.show_fields as f

__all__ = ["INFO", "nearest_level", "number_of"]

INFO = f.LEVELS.words["info"]
_OURS = ("critical", "critical", "error", "info", "info", "debug")
"""quiet, fatal, error, info, verbose, debug; higher numbers are more of debug."""


def nearest_level(number: int) -> str:
    """Return our name of Slurm's level."""
    return _OURS[min(max(number, 0), len(_OURS) - 1)]


def number_of(text: str | None) -> int:
    """Return Slurm's number of a level as slurm.conf has it, a word or a number; info where it is neither."""
    text = (text or "").strip().lower()
    return int(text) if text.isdigit() else f.LEVELS.words.get(text, INFO)
