"""`flurm wire proxy`: relay connections and record what travels."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import signal
import sys
from pathlib import Path

import click

from flurm.client.wire_proxy import Proxy, Recorder


class Address(click.ParamType):
    """HOST:PORT, [IPv6]:PORT or PORT alone, which is of this host."""

    name = "host:port"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """Host and port."""
        host, _, port = str(value).rpartition(":")
        if not port.isdigit() or int(port) > 0xFFFF:
            self.fail(f"{value!r} is no address; expected HOST:PORT", param, ctx)
        return host.strip("[]") or "127.0.0.1", int(port)


@click.command(name="proxy")
@click.option("--listen", type=Address(), required=True, help="Where clients connect; port 0 takes a free one.")
@click.option("--to", "target", type=Address(), required=True, help="The real server.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Record into this directory.")
def command(listen: tuple[str, int], target: tuple[str, int], out: Path | None) -> None:
    """Relay connections to another address, print a line for every message, and record them into frames.bin and
    meta.json, which `flurm wire decode` and `check` read. Ends cleanly on Ctrl-C and SIGTERM."""
    try:
        recorder = None if out is None else Recorder(out, shlex.join(sys.argv))
    except FileExistsError as error:
        raise click.ClickException(f"{out} holds a recording already; give another directory") from error
    except OSError as error:
        raise click.ClickException(str(error)) from error
    asyncio.run(_run(Proxy(target, recorder, _say), listen, target))
    if out is not None:
        _say(f"recorded in {out}; look at it with: flurm wire decode {shlex.quote(str(out))}")


async def _run(proxy: Proxy, listen: tuple[str, int], target: tuple[str, int]) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    try:
        host, port = await proxy.start(*listen)
    except OSError as error:
        raise click.ClickException(f"cannot listen on {listen[0]}:{listen[1]}: {error}") from error
    _say(f"listening on {host}:{port}, relaying to {target[0]}:{target[1]}")
    await ended.wait()
    await proxy.stop()
    _say(f"{proxy.messages} messages")


def _say(line: str) -> None:
    """Printing must never stop the relay: whoever read our output may be gone."""
    with contextlib.suppress(BrokenPipeError):
        click.echo(line)
        sys.stdout.flush()
