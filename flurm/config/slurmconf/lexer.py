"""From the text of a configuration file to its logical lines: comments gone, continued lines joined, includes read.

As slurmctld reads it (seen with 22.05 and 24.11): a comment is cut off first, wherever its '#' stands unless a
backslash stands before it; a line whose last character but blanks is a backslash goes on in the next; then each
backslash falls away and the character behind it stays. A line that is just "Include path" is replaced by that file,
"%c" in the path being the cluster's name. A path that is not absolute is looked for beside the main file (24.11), then
beside the file that says so (22.05). A path with wildcards means every file that matches, in the order of their names;
Slurm itself refuses those.

Nothing here touches a disk: `Files` does, and tests hand in another one. What is wrong is collected, not raised.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from flurm.config.errors import ConfigError

MAX_INCLUDE_DEPTH = 16

_INCLUDE = re.compile(r"include[ \t]+(\S+)[ \t]*$", re.IGNORECASE)
_COMMENT = re.compile(r"(?<!\\)#.*")
_CONTINUED = re.compile(r"(?<!\\)((?:\\\\)*)\\[ \t]*$")
_ESCAPED = re.compile(r"\\(.)")
_CLUSTER_NAME = re.compile(r"[ \t]*clustername[ \t]*=[ \t]*(\S+)", re.IGNORECASE)
_MAGIC = re.compile(r"[*?[]")


class Line(msgspec.Struct, frozen=True):
    """A logical line: the file and the line, from 1, where it begins, and its text."""

    file: str
    number: int
    text: str


class Files:
    """Where the text of files comes from: the disk."""

    def read(self, path: str) -> str:
        """Return the text of a file. Raises OSError."""
        return Path(path).read_text(encoding="utf-8", errors="surrogateescape")

    def exists(self, path: str) -> bool:
        """Tell whether there is a file of that path."""
        return Path(path).is_file()

    def matching(self, pattern: str) -> list[str]:
        """Return the files that a path with wildcards means, by name."""
        path = Path(pattern)
        return sorted(str(each) for each in Path(path.anchor or ".").glob(str(path.relative_to(path.anchor))))


class Lexer:
    """Gives the logical lines of one file and of all that it includes; faults holds what was wrong so far."""

    def __init__(self, files: Files | None = None) -> None:
        self.files = files or Files()
        self.faults: list[ConfigError] = []
        self.included: list[str] = []
        self._cluster_name = ""

    def lines(self, path: str) -> Iterator[Line]:
        """Yield the lines of the file at path."""
        self._folder = str(Path(path).parent)
        yield from self._file(path, (), None)

    def lines_of(self, text: str, path: str) -> Iterator[Line]:
        """Yield the lines of a text that would stand in a file at path."""
        self._folder = str(Path(path).parent)
        yield from self._logical(text, path, (path,))

    def _file(self, path: str, parents: tuple[str, ...], said_by: Line | None) -> Iterator[Line]:
        if path in parents or len(parents) >= MAX_INCLUDE_DEPTH:
            self._fault(said_by, path, f"includes itself or too deeply: {path}")
            return
        try:
            text = self.files.read(path)
        except OSError as error:
            self._fault(said_by, path, f"cannot read {path}: {error.strerror}")
            return
        if parents:
            self.included.append(path)
        yield from self._logical(text, path, (*parents, path))

    def _logical(self, text: str, file: str, parents: tuple[str, ...]) -> Iterator[Line]:
        joined, began = "", 0
        physical = text.split("\n")
        for number, raw in enumerate(physical, 1):
            began = began if joined else number
            line = _COMMENT.sub("", raw.rstrip("\r"))
            if _CONTINUED.search(line) and number < len(physical):
                joined += _CONTINUED.sub(r"\1", line)
                continue
            whole, joined = Line(file, began, _ESCAPED.sub(r"\1", joined + line)), ""
            if include := _INCLUDE.match(whole.text):
                yield from self._include(include[1], whole, parents)
            elif whole.text.strip():
                self._watch_for_cluster_name(whole.text)
                yield whole

    def _include(self, written: str, line: Line, parents: tuple[str, ...]) -> Iterator[Line]:
        path = written.replace("%c", self._cluster_name)
        places = [str(Path(folder) / path) for folder in (self._folder, str(Path(line.file).parent))]
        found = next((each for each in places if self.files.exists(each)), places[0])
        paths = [found]
        if not self.files.exists(found) and _MAGIC.search(path):
            paths = next(filter(None, map(self.files.matching, places)), [])
            if not paths:
                self._fault(line, found, f"no file matches {path}")
        for each in paths:
            yield from self._file(each, parents, line)

    def _watch_for_cluster_name(self, text: str) -> None:
        if name := _CLUSTER_NAME.match(text):
            self._cluster_name = name[1].strip('"').lower()

    def _fault(self, line: Line | None, path: str, text: str) -> None:
        if line is None:
            self.faults.append(ConfigError(text, file=path))
        else:
            self.faults.append(ConfigError(text, file=line.file, line=line.number, key="Include"))
