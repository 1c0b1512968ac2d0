"""Where a controller hands the cluster's key to nodes that show a token: a port of its own (`join_port`), over TLS 1.3.

The controller proves itself first, with its certificate of the cluster's authority; the node then shows its token. What
a signature cannot say - whether the token was revoked, how often it may still be used - is decided by the cluster: each
use is a command in its log. A controller that does not lead sends the node to the next one.
"""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import structlog

from actors import messages as m
from actors.net.joining import messages, tokens
from actors.net.joining.messages import Answer, Join, TooLong
from actors.net.joining.tokens import BadToken
from flurm import tls
from flurm.config import Config, TlsFiles
from flurm.core.commands import UseJoinToken
from flurm.core.effects import Rejected
from flurm.otp import OtpError
from flurm.tls.files import CA, CERTIFICATE, KEY, CertificateError, read_certificate
from flurm.tls.making import DAY_S

JOB_MANAGER = "flurm_job_manager"
AT_ONCE = 64
"""Nodes that are served at a time; further ones wait in the backlog."""
PATIENCE_S = 10.0
OWN_DAYS = 3650
RENEWED_BEFORE_S = 30 * DAY_S
NODE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
ATTEMPT = re.compile(r"[A-Za-z0-9_-]{16,64}")

log = structlog.get_logger(__name__)


def own_files(config: Config) -> TlsFiles:
    """Certificate and key of a controller that has no others to prove itself to: made on first use, and kept.

    The authority's key is not: it makes nothing else. Raises CertificateError.
    """
    place = Path(config.state_dir) / "join"
    files = TlsFiles(*(str(place / name) for name in (CA, CERTIFICATE, KEY)))
    if not _is_good(place / CERTIFICATE):
        authority_made = tls.new_authority(config.cluster_name, now_s=time.time(), days=OWN_DAYS)
        authority = tls.Authority.of(authority_made)
        issued = tls.issue(authority, config.member_name, now_s=time.time(), days=OWN_DAYS)
        tls.write(place, tls.Bundle.of_controller(authority, issued), force=True)
    return files


def _is_good(path: Path) -> bool:
    return path.exists() and read_certificate(path).not_valid_after_utc.timestamp() > time.time() + RENEWED_BEFORE_S


class JoinDoor:
    """The port and who stands at it; outlives every process of the tree. Raises OSError."""

    def __init__(self, config: Config, system: Any, files: TlsFiles, munge_key: bytes) -> None:
        self.files = files
        self.key = tokens.key_of(munge_key)
        self._munge_key = munge_key
        self._cluster = config.cluster_name
        self._system = system
        self._room = threading.Semaphore(AT_ONCE)
        self._closed = False
        self._socket = socket.create_server((config.slurmctld_host, config.join_port))
        self.address: tuple[str, int] = self._socket.getsockname()[:2]
        threading.Thread(target=self._accept, name="flurm-join", daemon=True).start()

    def close(self) -> None:
        """Let nobody in any more."""
        self._closed = True
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        while not self._closed:
            self._room.acquire()
            try:
                plain, peer = self._socket.accept()
            except OSError as error:
                self._room.release()
                if not self._closed:
                    log.warning("accept failed", reason=str(error))
                    time.sleep(0.1)
                continue
            threading.Thread(target=self._serve, args=(plain, peer[0]), name="flurm-join", daemon=True).start()

    def _serve(self, plain: socket.socket, peer: str) -> None:
        try:
            plain.settimeout(PATIENCE_S)
            with self._context().wrap_socket(plain, server_side=True) as connection:
                line = messages.receive(connection)
                if line:
                    messages.send(connection, self._answer(line, peer))
        except (OSError, TooLong) as error:
            log.warning("node did not join", peer=peer, reason=str(error))
        finally:
            plain.close()
            self._room.release()

    def _context(self) -> ssl.SSLContext:
        """Made for each node anew, so that a renewed certificate counts at once."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.num_tickets = 0
        context.load_cert_chain(self.files.certificate, self.files.key)
        return context

    def _answer(self, line: bytes, peer: str) -> Answer:
        try:
            wish = msgspec.json.decode(line, type=Join)
            if not NODE_NAME.fullmatch(wish.node) or not ATTEMPT.fullmatch(wish.attempt):
                raise BadToken("expected the name of a node, and 16 to 64 letters and digits as the attempt's number")
            claims = tokens.prove(self.key, wish.token, self._cluster, time.time())
        except (BadToken, msgspec.DecodeError) as error:
            log.warning("node did not join", peer=peer, reason=str(error))
            return Answer(error=str(error))
        answer = self._use(claims.id, wish)
        if answer.munge_key:
            log.info("node has the key", node=wish.node, peer=peer, token=claims.id)
        else:
            log.warning("node did not join", node=wish.node, peer=peer, token=claims.id, reason=answer.error)
        return answer

    def _use(self, token: str, wish: Join) -> Answer:
        """Have the cluster count this use, once however often the node has to ask."""
        command = UseJoinToken(
            now_s=int(time.time()), request_id=f"join/{token}/{wish.attempt}", id=token, node=wish.node
        )
        try:
            reply = self._system.call(JOB_MANAGER, m.Request(command), PATIENCE_S)
        except OtpError as error:
            return Answer(error=str(error), again=True)
        match reply:
            case m.Unavailable(reason, detail):
                return Answer(error=detail or reason.value, again=True)
            case Rejected(code, text):
                return Answer(error=text or code.value)
        return Answer(munge_key=self._munge_key)


__all__ = ["CertificateError", "JoinDoor", "own_files"]
