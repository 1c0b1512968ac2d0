"""`flurm wire decode`: print recorded messages readably."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import msgspec

from flurm.client.recordings import Item, RecordingError, find, from_bytes, messages
from protocol import versions
from protocol.describe import Node, lines, to_json
from protocol.describe_frame import describe_fault, describe_message, hexdump, title
from protocol.kinds import Fault, Message, Unreadable, read


@click.command(name="decode")
@click.argument("file", type=click.Path(exists=True, allow_dash=True, path_type=Path))
@click.option("--key", "key_path", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="munge.key or slurm.key of the cluster, to open the credentials.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per message and line.")
@click.option("--all", "everything", is_flag=True, help="Print long lists and texts in full.")
@click.option("--frame", "wanted", type=int, multiple=True, metavar="N", help="Only message N (from 1); repeatable.")
@click.option("--kind", help="What the messages are, where it is not to be guessed: rpc, dbd_init, persist, ...")
@click.option("--version", "release", help="Release of messages that do not say it (persist), e.g. 24.11.")
def command(
    file: Path, key_path: Path | None, as_json: bool, everything: bool, wanted: tuple[int, ...], kind: str | None,
    release: str | None,
) -> None:  # fmt: skip
    """Print the messages in FILE: `-`, a frame or a stream of frames, hexadecimal text, or frames.bin beside its
    meta.json. Exit 1 if one cannot be decoded."""
    key = key_path.read_bytes() if key_path else None
    version = _version(release)
    good = True
    try:
        for item in _items(file, version):
            if wanted and item.number not in wanted:
                continue
            item.kind, item.version = kind or item.kind, item.version or version
            good &= _print_json(item, key) if as_json else _print_text(item, key, everything)
    except BrokenPipeError:
        raise
    except (RecordingError, OSError) as error:
        raise click.ClickException(str(error)) from error
    if not good:
        raise click.exceptions.Exit(1)


def _items(file: Path, version: int | None) -> Iterable[Item]:
    if str(file) == "-":
        return from_bytes(sys.stdin.buffer.read(), "-", version)
    if file.is_dir() or file.name in ("frames.bin", "meta.json"):
        return (item for path in find([file]) for item in messages(path))
    return from_bytes(file.read_bytes(), str(file), version)


def _version(release: str | None) -> int | None:
    try:
        return None if release is None else versions.by_name(release)
    except KeyError as error:
        names = ", ".join(versions.name(one) for one in versions.Version)
        raise click.UsageError(f"no release {release!r}; there are {names}") from error


def _print_text(item: Item, key: bytes | None, everything: bool) -> bool:
    head = f"message {item.number}, {len(item.data)} bytes at {item.offset}"
    if item.direction:
        head += f", connection {item.conn} {item.direction}"
    if item.step:
        head += f", {item.step}"
    if item.kind == "stream":
        _print_raw(head, "stream: bytes that nobody took apart", item.data, everything)
        return True
    try:
        message = read(item.kind, item.data, item.version)
    except Unreadable as error:
        _print_raw(head, f"{item.name or item.kind}: {error}", item.data, everything)
        return False
    except Fault as fault:
        click.echo(f"{title(fault.message)}  [{head}]")
        _print_nodes(describe_fault(fault, key), everything)
        click.echo(f"  cannot be decoded: {fault}")
        for line in hexdump(item.data, fault.offset or 0):
            click.echo(f"  {line}")
        click.echo()
        return False
    click.echo(f"{title(message)}  [{head}]")
    _print_nodes(describe_message(message, key), everything)
    click.echo()
    return True


def _print_nodes(nodes: list[Node], everything: bool) -> None:
    for node in nodes:
        for line in lines(node, everything=everything, indent=1):
            click.echo(line)


def _print_raw(head: str, text: str, data: bytes, everything: bool) -> None:
    click.echo(f"{text}  [{head}]")
    shown = data if everything else data[:256]
    for line in hexdump(shown):
        click.echo(f"  {line}")
    if len(shown) < len(data):
        click.echo(f"  ... {len(data) - len(shown)} more bytes (--all shows them)")
    click.echo()


def _print_json(item: Item, key: bytes | None) -> bool:
    out: dict[str, Any] = {"number": item.number, "offset": item.offset, "length": len(item.data), "kind": item.kind}
    out |= {name: getattr(item, name) for name in ("direction", "conn", "step") if getattr(item, name)}
    good = True
    try:
        if item.kind == "stream":
            out["data"] = item.data.hex()
        else:
            message = read(item.kind, item.data, item.version)
            out |= _facts(message) | {node.name: to_json(node) for node in describe_message(message, key)}
    except Unreadable as error:
        out |= {"error": {"reason": str(error)}, "data": item.data.hex()}
        good = False
    except Fault as fault:
        out |= _facts(fault.message) | {node.name: to_json(node) for node in describe_fault(fault, key)}
        out["error"] = {"field": fault.field, "offset": fault.offset, "reason": fault.error.reason}
        good = False
    click.echo(json.dumps(msgspec.to_builtins(out)))
    return good


def _facts(message: Message) -> dict[str, Any]:
    version = versions.name(message.version) if message.version else None
    return {"message": message.name, "type": message.number, "version": version}
