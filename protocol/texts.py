"""Kept wire forms of text: what was packed before is looked up instead of being packed again.

Records repeat their texts: the user, the partition, the working directory, and above all that there is none. So the
compiled packers ask a table for the form of a text, and for the forms of texts that stand beside each other ask with
all of them at once. A table makes what it lacks, and is emptied when it is full, so what varies from record to record
costs a little more and never much memory. What is known to differ from record to record (`VARIED`) is not looked up at
all. Readers in many threads share the tables without a lock: each access is one
dict operation, and a form that two of them make is the same.
"""

from __future__ import annotations

from struct import Struct
from typing import Any

__all__ = ["TEXT", "VARIED", "TextRun", "text_form"]

VARIED = frozenset({"argv", "batch_host", "name", "node_addr", "node_hostname", "nodes", "script", "std_out"})
"""Fields whose texts would only crowd out others, and make every look-up of their neighbours fail."""

_U32 = Struct(">I")
_MOST_TEXTS = 4096
_MOST_RUNS = 256
_LONGEST = 256
"""What is longer than this many bytes is not kept."""


def text_form(text: str | None) -> bytes:
    """Length with the terminating zero, bytes, zero; of None, the length 0. Raises AttributeError for what is no
    text."""
    if text is None:
        return b"\0\0\0\0"
    raw = text.encode("utf-8", "surrogateescape")
    return _U32.pack(len(raw) + 1) + raw + b"\0"


class _Texts(dict[str | None, bytes]):
    """The forms of single texts."""

    def __missing__(self, text: str | None) -> bytes:
        form = text_form(text)
        if len(form) <= _LONGEST:
            if len(self) >= _MOST_TEXTS:
                self.clear()
            self[text] = form
        return form


TEXT = _Texts()


class TextRun(dict[tuple[Any, ...], bytes]):
    """The joined forms of the texts at one place in one layout."""

    def __missing__(self, texts: tuple[Any, ...]) -> bytes:
        """Raises AttributeError or TypeError where one is no text."""
        form = b"".join([TEXT[text] for text in texts])
        if len(form) <= _LONGEST * 2:
            if len(self) >= _MOST_RUNS:
                self.clear()
            self[texts] = form
        return form
