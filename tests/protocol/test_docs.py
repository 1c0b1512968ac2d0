"""The examples of docs/protocol.md are real: bytes, annotations, output of commands, code."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from flurm.cli.main import group
from protocol.conversation import Conversation
from protocol.kinds import check, read
from protocol.versions import Version
from tests.protocol.wire_data import DATA

PAGE = Path(__file__).parents[2] / "docs" / "protocol.md"
HEX = re.compile(r"((?:[0-9a-f]{2}(?: |$))+) *(.*)")


def blocks(kind: str) -> list[tuple[str, str]]:
    """(what stands behind the language, text) of every fenced block in that language."""
    return re.findall(rf"```{kind} ?(\w*)\n(.*?)```", PAGE.read_text(), re.DOTALL)


def lines(name: str) -> list[tuple[bytes, str, int | None]]:
    """Of an annotated hex block: bytes, name and number of each line."""
    found = []
    for line in dict(blocks("hex"))[name].splitlines():
        match = HEX.fullmatch(line)
        assert match, line
        words = match[2].split()
        found.append((bytes.fromhex(match[1]), words[0] if words else "", int(words[1], 0) if words else None))
    return found


def data_of(name: str) -> bytes:
    return b"".join(part for part, _, _ in lines(name))


@pytest.mark.parametrize("name", ["request", "reply", "persist", "io"])
def test_the_number_beside_the_bytes_is_what_they_say(name):
    annotated = [(part, number) for part, _, number in lines(name) if number is not None]
    assert len(annotated) >= 6
    for part, number in annotated:
        assert int.from_bytes(part, "big") == number


@pytest.mark.parametrize("name", ["request", "reply"])
def test_the_frames_are_exact_and_have_the_fields_that_they_are_said_to_have(name):
    data = data_of(name)
    assert check("rpc", data).verdict == "exact"
    message = read("rpc", data)
    said = {field: number for _, field, number in lines(name)}
    assert (said["version"], said["msg_type"], said["flags"]) == (message.version, message.number, message.frame.flags)
    body = [field for _, field, _ in lines(name) if field in message.record.__struct_fields__]
    assert body and all(said[field] == getattr(message.record, field) for field in body)


def test_the_persistent_message_is_exact():
    data = data_of("persist")
    assert check("persist", data, Version.V24_11).verdict == "exact"
    record = read("persist", data, Version.V24_11).record
    said = {field: number for _, field, number in lines("persist")}
    assert (record.rc, record.ret_info, record.flags) == (said["rc"], said["ret_info"], said["flags"])


def test_the_stream_is_an_introduction_and_a_packet():
    pieces = Conversation().feed("c2s", data_of("io"))
    assert [(piece.kind, piece.name) for piece in pieces] == [("io_init", "IO_INIT"), ("io", "IO_STDOUT")]
    assert [check(piece.kind, piece.data).verdict for piece in pieces] == ["exact", "exact"]


def test_the_commands_print_what_the_page_shows(tmp_path, monkeypatch):
    (tmp_path / "request.hex").write_text(data_of("request").hex(" "))
    (tmp_path / "munge.key").write_bytes((DATA / "munge.key").read_bytes())
    monkeypatch.chdir(tmp_path)
    shown = [text for _, text in blocks("console")]
    assert len(shown) >= 3
    for text in shown:
        command, _, expected = text.partition("\n")
        assert command.startswith("$ flurm ")
        done = CliRunner().invoke(group, shlex.split(command)[2:])
        assert (done.exit_code, done.stdout.rstrip()) == (0, expected.rstrip()), command


def test_the_code_of_the_first_hour_runs(capsys):
    (example,) = (text for _, text in blocks("python") if "print(" in text)
    exec(compile(example, "docs/protocol.md", "exec"), {"__name__": "example"})
    assert capsys.readouterr().out.splitlines() == [
        "00 00 00 22 00 00",
        "<ReadyBit.NODE_STATE|JOB_STATE|PROLOG_STATE: 7>",
    ]
