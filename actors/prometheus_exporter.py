"""Prometheus exporter: serves the HTTP application on `http_port` and on the control socket in the state directory.

Calls    "status" -> dict
Effects  a thread with the HTTP server; metrics are read off the published state when they are asked for
Errors   a port that is taken is reported and costs the page and the metrics, never the cluster
"""

from __future__ import annotations

import importlib
import socket
import threading
from pathlib import Path
from typing import Any

import msgspec
import structlog
import uvicorn

from flurm.otp import GenServer, NoReply, Ok, Reply, Sender

APPLICATION = "flurm.web.app:create"
CONTROL_SOCKET = "flurm.sock"
STOP_TIMEOUT_S = 3.0
MAX_CONNECTIONS = 256

log = structlog.get_logger(__name__)


class State(msgspec.Struct):
    """The HTTP server and where it listens."""

    server: Running
    addresses: tuple[str, ...]


class Running:
    """A uvicorn server in a thread of its own, on sockets that are already bound."""

    def __init__(self, application: Any, sockets: list[socket.socket]) -> None:
        config = uvicorn.Config(
            application,
            log_config=None,
            lifespan="off",
            access_log=False,
            timeout_graceful_shutdown=1,
            limit_concurrency=MAX_CONNECTIONS,
        )
        self._server = uvicorn.Server(config)
        self._sockets = sockets
        self._thread = threading.Thread(target=self._run, name="flurm-http", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._server.run(sockets=self._sockets)

    def stop(self) -> None:
        """End the server and free its addresses."""
        self._server.should_exit = True
        self._thread.join(STOP_TIMEOUT_S)
        for one in self._sockets:
            one.close()


class PrometheusExporter(GenServer):
    """Shows the tree and its figures to the world."""

    vsn = 1

    def init(self, args: dict[str, Any]) -> Ok:
        predecessor = self.system.terms.pop("http_server", None)
        if predecessor is not None:
            predecessor.stop()
        config = self.system.env["config"]
        sockets, addresses = [], []
        for open_one, where in (
            (lambda: _control_socket(Path(config.state_dir) / CONTROL_SOCKET), CONTROL_SOCKET),
            (lambda: _http_socket(config.http_host or config.slurmctld_host, config.http_port), "http"),
        ):
            if where == "http" and config.http_port == 0:
                continue
            try:
                opened = open_one()
            except OSError as error:
                log.error("http address not available", address=where, port=config.http_port, reason=str(error))
                continue
            sockets.append(opened)
            addresses.append(_shown(opened))
        module, _, name = APPLICATION.partition(":")
        application = getattr(importlib.import_module(module), name)(self.system)
        server = Running(application, sockets)
        self.system.terms["http_server"] = server
        return Ok(State(server, tuple(addresses)))

    def handle_call(self, request: Any, sender: Sender, state: State) -> Reply:
        return Reply(self.format_status(state), state)

    def handle_cast(self, message: Any, state: State) -> NoReply:
        raise NotImplementedError(repr(message))

    def terminate(self, reason: Any, state: State) -> None:
        state.server.stop()
        self.system.terms.pop("http_server", None)

    def format_status(self, state: State) -> Any:
        return {"addresses": state.addresses}


def _control_socket(path: Path) -> socket.socket:
    """A unix socket that only this user can reach: who holds the state directory may replace a stale one."""
    path.unlink(missing_ok=True)
    opened = socket.socket(socket.AF_UNIX)
    opened.bind(str(path))
    path.chmod(0o600)
    opened.listen(64)
    return opened


def _http_socket(host: str, port: int) -> socket.socket:
    return socket.create_server((host, port), backlog=128)


def _shown(opened: socket.socket) -> str:
    name = opened.getsockname()
    return name if isinstance(name, str) else f"{name[0]}:{name[1]}"
