"""Command lines as GNU getopt_long reads them, because Slurm's programs use it and scripts rely on its habits.

Long options may be shortened while they stay unique, short ones may be bundled, an option's argument may stand in the
next word, and optional arguments only in the same one. Options and operands may be mixed unless a program says that
the first operand ends its options (`sbatch job.sh --not-for-sbatch`). The complaints are getopt's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

__all__ = ["Argument", "Option", "UsageError", "flag", "maybe", "parse", "takes"]


class Argument(Enum):
    """Whether an option has an argument."""

    NONE = 0
    REQUIRED = 1
    OPTIONAL = 2


class UsageError(Exception):
    """A command line that cannot be read; the text is what the program prints about it."""


class Option(NamedTuple):
    """One option: the name it is stored under, its letter, its long names and whether it has an argument."""

    dest: str
    short: str
    longs: tuple[str, ...]
    argument: Argument = Argument.NONE


def flag(dest: str, short: str = "", *longs: str) -> Option:
    """An option without an argument; its long name is `dest` where none is given."""
    return Option(dest, short, longs or (dest.replace("_", "-"),))


def takes(dest: str, short: str = "", *longs: str) -> Option:
    """An option that needs an argument."""
    return Option(dest, short, longs or (dest.replace("_", "-"),), Argument.REQUIRED)


def maybe(dest: str, short: str = "", *longs: str) -> Option:
    """An option whose argument may be left out."""
    return Option(dest, short, longs or (dest.replace("_", "-"),), Argument.OPTIONAL)


Given = list[tuple[str, str | None]]


def parse(
    program: str, options: Sequence[Option], argv: Sequence[str], *, operands_end: bool = False
) -> tuple[Given, list[str]]:
    """The options in their order as (dest, argument), and the operands. Raises UsageError."""
    return _Parser(program, options, operands_end).run(list(argv))


class _Parser:
    def __init__(self, program: str, options: Sequence[Option], operands_end: bool) -> None:
        self.program, self.operands_end = program, operands_end
        self.shorts = {each.short: each for each in options if each.short}
        self.longs = {name: each for each in options for name in each.longs}
        self.given: Given = []
        self.operands: list[str] = []

    def run(self, words: list[str]) -> tuple[Given, list[str]]:
        while words:
            word = words.pop(0)
            if word == "--":
                self.operands += words
                break
            if word.startswith("--"):
                self._long(word[2:], words)
            elif word.startswith("-") and word != "-":
                self._short(word[1:], words)
            else:
                self.operands.append(word)
                if self.operands_end:
                    self.operands += words
                    break
        return self.given, self.operands

    def _long(self, text: str, words: list[str]) -> None:
        name, equals, value = text.partition("=")
        option = self.longs.get(name) or self._shortened(name, text)
        full = next(each for each in option.longs if each.startswith(name))
        if equals and option.argument is Argument.NONE:
            raise self._error(f"option '--{full}' doesn't allow an argument")
        if not equals and option.argument is Argument.REQUIRED:
            if not words:
                raise self._error(f"option '--{full}' requires an argument")
            equals, value = "=", words.pop(0)
        self.given.append((option.dest, value if equals else None))

    def _shortened(self, name: str, text: str) -> Option:
        found = [each for each in self.longs if each.startswith(name)]
        if not found:
            raise self._error(f"unrecognized option '--{text}'")
        if len({self.longs[each].dest for each in found}) > 1:
            possible = "".join(f" '--{each}'" for each in found)
            raise self._error(f"option '--{text}' is ambiguous; possibilities:{possible}")
        return self.longs[found[0]]

    def _short(self, letters: str, words: list[str]) -> None:
        while letters:
            letter, letters = letters[0], letters[1:]
            option = self.shorts.get(letter)
            if option is None:
                raise self._error(f"invalid option -- '{letter}'")
            if option.argument is Argument.NONE:
                self.given.append((option.dest, None))
                continue
            value: str | None = letters or None
            if value is None and option.argument is Argument.REQUIRED:
                if not words:
                    raise self._error(f"option requires an argument -- '{letter}'")
                value = words.pop(0)
            self.given.append((option.dest, value))
            return

    def _error(self, text: str) -> UsageError:
        return UsageError(f'{self.program}: {text}\nTry "{self.program} --help" for more information')
