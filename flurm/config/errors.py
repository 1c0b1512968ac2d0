"""What is wrong with a configuration, told so that it can be mended without opening the manual.

Every refusal names the file, the line, the key and its value, says what would be right and, where a name is
misspelt, which name was probably meant. The mistake is always the administrator's: a bug of ours is never a
ConfigError.
"""

import difflib
from collections.abc import Iterable, Sequence


class ConfigError(Exception):
    """A configuration that cannot be used; str() is one line, ready to be shown; a line each where several
    things are wrong at once.

    file: path as given, or "overrides" or "defaults"; line: 1-based, None where unknown; key: dotted name;
    value: as written; expected: what would be right; suggestion: the nearest right name, None where none is near;
    all: each mistake by itself, in file order.
    """

    def __init__(
        self,
        expected: str,
        *,
        file: str = "defaults",
        line: int | None = None,
        key: str | None = None,
        value: object = None,
        suggestion: str | None = None,
    ) -> None:
        self.expected, self.file, self.line = expected, file, line
        self.key, self.value, self.suggestion = key, value, suggestion
        self.all: tuple[ConfigError, ...] = (self,)
        super().__init__(self._text())

    @classmethod
    def of_all(cls, errors: Sequence["ConfigError"]) -> "ConfigError":
        """Return one error that says all of them, a line each; it has the place of the first."""
        every = tuple(each for error in errors for each in error.all)
        first = every[0]
        if len(every) == 1:
            return first
        found = cls(
            first.expected,
            file=first.file,
            line=first.line,
            key=first.key,
            value=first.value,
            suggestion=first.suggestion,
        )
        found.all, found.args = every, ("\n".join(map(str, every)),)
        return found

    def _text(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        subject = (
            "" if self.key is None else f"{self.key}: " if self.value is None else f"{self.key} = {self._shown()}: "
        )
        hint = "" if self.suggestion is None else f"; did you mean {self.suggestion}?"
        return f"{where}: {subject}{self.expected}{hint}"

    def _shown(self) -> str:
        text = repr(self.value)
        return text if len(text) <= 80 else text[:77] + "..."


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the one of names that name was probably meant to be, None where nothing is near; case does not count."""
    by_lower = {each.lower(): each for each in names}
    found = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None
