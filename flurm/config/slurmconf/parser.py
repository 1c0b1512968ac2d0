"""From logical lines to settings and records, by a grammar that says which keys there are; all mistakes at once.

A line holds one Key=Value; a line that opens with the key of a record (NodeName ...) holds that and any number of the
record's own keys, in any order. Keys do not care about case. Blanks around the sign do not matter, and as in Slurm
"+=", "-=", "*=" and "/=" are taken for "=". A value ends at a blank unless it stands in double quotes, which may hold
anything but a double quote. Of a key that is there twice the last one counts. A record named DEFAULT gives the values
of those that follow it, until another one says otherwise.

What a line means is not decided here: values stay text, but for whether the text can be a value of that key.
"""

import re
from collections.abc import Iterable, Iterator

import msgspec

from flurm.config.errors import ConfigError, nearest
from flurm.config.slurmconf.keys import Grammar, Key, RecordKind
from flurm.config.slurmconf.lexer import Files, Lexer, Line

_PAIR = re.compile(r"\s*([A-Za-z0-9_.]+)\s*([-+*/]?)=\s*(?:\"([^\"]*)\"(?=\s|$)|(\S+))")


class Setting(msgspec.Struct, frozen=True):
    """One Key=Value of a file: the key as Slurm spells it, the value without its quotes, and where it stands."""

    key: str
    value: str
    file: str
    line: int

    def wrong(self, expected: str, suggestion: str | None = None) -> ConfigError:
        """Return the error that this setting is wrong."""
        return ConfigError(
            expected, file=self.file, line=self.line, key=self.key, value=self.value, suggestion=suggestion
        )


class Record(msgspec.Struct, frozen=True):
    """A line that opens a record: its name, and its settings with the DEFAULT values in force merged in."""

    name: Setting
    settings: dict[str, Setting]

    def text(self, key: str) -> str | None:
        """Return the value of a key, None where it is not given."""
        found = self.settings.get(key)
        return None if found is None else found.value


class Parsed(msgspec.Struct):
    """A file as read: settings in file order, the records of each kind, and everything that is wrong or odd."""

    path: str
    settings: list[Setting] = msgspec.field(default_factory=list)
    records: dict[str, list[Record]] = msgspec.field(default_factory=dict)
    faults: list[ConfigError] = msgspec.field(default_factory=list)
    warnings: list[str] = msgspec.field(default_factory=list)
    included: list[str] = msgspec.field(default_factory=list)

    def last(self) -> dict[str, Setting]:
        """Return the setting in force of each key: the last one, as Slurm has it."""
        return {each.key: each for each in self.settings}

    def all_of(self, key: str) -> list[Setting]:
        """Return every setting of key, in file order."""
        return [each for each in self.settings if each.key == key]

    def checked(self) -> "Parsed":
        """Return this file, or raise what is wrong with it."""
        if self.faults:
            raise ConfigError.of_all(self.faults)
        return self


def read(path: str, grammar: Grammar, files: Files | None = None) -> Parsed:
    """Read the file at path with all that it includes. Raises nothing: see Parsed.faults."""
    lexer = Lexer(files)
    return _parsed(lexer, lexer.lines(path), path, grammar)


def parse(text: str, grammar: Grammar, path: str = "slurm.conf", files: Files | None = None) -> Parsed:
    """Read a text as if it stood in a file at path. Raises nothing: see Parsed.faults."""
    lexer = Lexer(files)
    return _parsed(lexer, lexer.lines_of(text, path), path, grammar)


def _parsed(lexer: Lexer, lines: Iterable[Line], path: str, grammar: Grammar) -> Parsed:
    found = Parsed(path, records={each: [] for each in grammar.records}, faults=lexer.faults, included=lexer.included)
    reader = _Reader(grammar, found)
    for line in lines:
        reader.take(line)
    return found


class _Reader:
    """Takes one line after the other; keeps the DEFAULT values in force."""

    def __init__(self, grammar: Grammar, found: Parsed) -> None:
        self.grammar, self.found = grammar, found
        self._defaults: dict[str, dict[str, Setting]] = {each: {} for each in grammar.records}
        self._seen: dict[str, Setting] = {}

    def take(self, line: Line) -> None:
        pairs = list(self._pairs(line))
        if not pairs:
            return
        (name, value), *rest = pairs
        opener = self.grammar.record(name)
        if opener is not None:
            self._record(opener, Setting(opener.name, value, line.file, line.number), rest)
            return
        key = self.grammar.key(name)
        if key is None:
            self._unknown(name, value, line, self.grammar.names(), "")
        elif self._is_good(setting := Setting(key.name, value, line.file, line.number), key):
            self._add(setting, key)
        for extra, extra_value in rest:
            expected = f"expected on a line of its own, {name} stands before it"
            fault = ConfigError(expected, file=line.file, line=line.number, key=extra, value=extra_value)
            self.found.faults.append(fault)

    def _add(self, setting: Setting, key: Key) -> None:
        before = self._seen.get(key.name)
        if before is not None and not key.repeated:
            where = f"{setting.file}:{setting.line}"
            self.found.warnings.append(f"{where}: {key.name} is there twice, this one counts")
        self._seen[key.name] = setting
        self.found.settings.append(setting)

    def _record(self, kind: RecordKind, name: Setting, pairs: list[tuple[str, str]]) -> None:
        values: dict[str, Setting] = {}
        line = Line(name.file, name.line, "")
        for written, value in pairs:
            key = kind.key(written)
            if key is None:
                self._unknown(written, value, line, kind.names(), f" in a {kind.name} line")
            elif self._is_good(setting := Setting(key.name, value, name.file, name.line), key):
                if key.name in values:
                    where = f"{name.file}:{name.line}"
                    self.found.warnings.append(f"{where}: {key.name} is there twice, the last one counts")
                values[key.name] = setting
        if kind.has_defaults and name.value.upper() == "DEFAULT":
            self._defaults[kind.name] |= values
        else:
            self.found.records[kind.name].append(Record(name, self._defaults[kind.name] | values))

    def _is_good(self, setting: Setting, key: Key) -> bool:
        try:
            key.kind.parse(setting.value)
        except ValueError as wrong:
            self.found.faults.append(setting.wrong(str(wrong)))
            return False
        return True

    def _unknown(self, name: str, value: str, line: Line, names: list[str], inside: str) -> None:
        fault = ConfigError(
            f"unknown key{inside}",
            file=line.file,
            line=line.number,
            key=name,
            value=value,
            suggestion=nearest(name, names),
        )
        self.found.faults.append(fault)

    def _pairs(self, line: Line) -> Iterator[tuple[str, str]]:
        position, text = 0, line.text.rstrip()
        while position < len(text):
            found = _PAIR.match(text, position)
            if found is None:
                rest = text[position:].strip()
                word = rest.split(maxsplit=1)[0]
                expected = f"expected Key=Value, found {word!r}"
                if word.endswith("=") and len(word) > 1:
                    expected = f"expected a value behind {word}"
                self.found.faults.append(ConfigError(expected, file=line.file, line=line.number))
                return
            yield found[1], found[3] if found[3] is not None else found[4]
            position = found.end()
