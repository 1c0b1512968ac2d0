"""A relay between clients and one server that records what travels, in the layout of `flurm.client.recordings`.

Bytes are passed on as they come and looked at afterwards (`protocol.conversation`), so that the two ends notice nothing
but a little delay, not even when nothing here understands them. A message is written down when it is complete; when a
connection ends, what is left of an incomplete one is kept as a stream.
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flurm.client.recordings import COLUMNS
from protocol import versions
from protocol.conversation import Conversation, Direction, Piece

__all__ = ["Proxy", "Recorder"]

_CHUNK = 1 << 16
_SERVICES = {6817: "slurmctld", 6818: "slurmd", 6819: "slurmdbd", 6820: "slurmrestd"}


class Recorder:
    """Writes frames.bin as messages come, meta.json at the end."""

    def __init__(self, directory: Path, command: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._meta = directory / "meta.json"
        self._frames = (directory / "frames.bin").open("xb")
        self._offset = 0
        self._rows: list[list[Any]] = []
        self._about = {
            "name": "proxy", "argv": command, "user": getpass.getuser(), "host": socket.gethostname(),
            "exit": 0, "stdout": "", "stderr": "", "columns": COLUMNS,
        }  # fmt: skip

    def add(self, piece: Piece, at_s: float, conn: int, client: str, server: str, port: int) -> None:
        """Keep one message; `at_s` counts from the start of the recording."""
        self._frames.write(piece.data)
        version = None if piece.version is None else versions.name(piece.version)
        self._rows.append(
            [
                self._offset, len(piece.data), round(at_s, 3), conn, piece.direction, client, server, port,
                _SERVICES.get(port), piece.kind, piece.name, piece.number, version,
            ]
        )  # fmt: skip
        self._offset += len(piece.data)
        self._frames.flush()

    def close(self) -> None:
        """Everything is on disk afterwards."""
        self._frames.close()
        self._meta.write_text(json.dumps({**self._about, "frames": self._rows}, indent=1))


class Proxy:
    """Listens at one address and relays to another. `say` gets a line for each message."""

    def __init__(self, target: tuple[str, int], recorder: Recorder | None, say: Callable[[str], None]) -> None:
        self._target, self._recorder, self._say = target, recorder, say
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._count = self.messages = 0
        self._started_s = 0.0

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Begin to listen; the address that was bound."""
        self._started_s = asyncio.get_running_loop().time()
        self._server = await asyncio.start_server(self._serve, host, port)
        bound: tuple[str, int] = self._server.sockets[0].getsockname()[:2]
        return bound

    async def stop(self) -> None:
        """Cut what is still open, keep what travelled."""
        assert self._server is not None
        self._server.close()
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        if self._recorder is not None:
            self._recorder.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        self._count += 1
        number = self._count
        client = str(writer.get_extra_info("peername")[0])
        conversation = Conversation()

        def seen(pieces: list[Piece]) -> None:
            for piece in pieces:
                self._keep(piece, number, client)

        try:
            await self._relay(number, reader, writer, lambda way, data: seen(conversation.feed(way, data)))
        except asyncio.CancelledError:
            pass
        finally:
            seen(conversation.finish())
            self._connections.discard(task)

    async def _relay(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter,
        note: Callable[[Direction, bytes], None],
    ) -> None:  # fmt: skip
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError as error:
            self._say(f"#{number} cannot reach {self._target[0]}:{self._target[1]}: {error}")
            writer.close()
            return
        try:
            await asyncio.gather(
                _pump(reader, far_writer, lambda data: note("c2s", data)),
                _pump(far_reader, writer, lambda data: note("s2c", data)),
            )
        finally:
            far_writer.close()
            writer.close()

    def _keep(self, piece: Piece, conn: int, client: str) -> None:
        at_s = asyncio.get_running_loop().time() - self._started_s
        self.messages += 1
        version = "-" if piece.version is None else versions.name(piece.version)
        arrow = "->" if piece.direction == "c2s" else "<-"
        name = piece.name or "?"
        self._say(f"{at_s:9.3f} #{conn} {arrow} {name} {version} {piece.kind} {len(piece.data)} bytes")
        if self._recorder is not None:
            self._recorder.add(piece, at_s, conn, client, *self._target)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, note: Callable[[bytes], None]) -> None:
    """One direction, until its sender has no more to say; a connection that breaks ends it too."""
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            note(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()
