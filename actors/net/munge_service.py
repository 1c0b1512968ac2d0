"""Who serves the MUNGE socket of this machine: a munged that runs, or we.

Where somebody answers at the path, that one serves, and we stand by: the path is tried again every few seconds, so
that clients find a socket when munged, or the other FLURM that served it, has ended. What must hold is that both use
the same key; a munged with another one is told of in the log, for Slurm's clients would be refused here.
"""

from __future__ import annotations

import threading

import structlog

from actors.net import munge_client
from actors.net.munge_socket import MungeSocket, NotASocket, PathTooLong, SocketInUse
from flurm.config import Config, own_munge_socket_path
from protocol.auth.munge import CredentialError, MungeKey, inspect
from protocol.auth.munged import EncodeRequest, Sealed
from protocol.errors import DecodeError

STANDBY_S = 5.0

log = structlog.get_logger(__name__)


class MungeService:
    """Serves the socket while nobody else does. `start`, then `close`; neither raises."""

    def __init__(self, path: str, key: MungeKey, *, standby_s: float = STANDBY_S) -> None:
        self.path = path
        self.socket: MungeSocket | None = None
        self._key = key
        self._standby_s = standby_s
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @classmethod
    def of(cls, config: Config, key: MungeKey) -> MungeService | None:
        """The service that a configuration asks for, None where its clients prove who they are in another way."""
        return cls(own_munge_socket_path(config), key) if config.auth_type == "munge" else None

    def start(self) -> None:
        """Serve, or stand by while another does; where neither is possible the log says why."""
        try:
            self._serve()
        except SocketInUse:
            self._look_at_the_other()
            self._thread = threading.Thread(target=self._stand_by, name="flurm-munge-standby", daemon=True)
            self._thread.start()
        except (NotASocket, PathTooLong, OSError) as error:
            advice = "Slurm's own clients need a munged here, or munge_socket set to a path that FLURM can make"
            log.warning("munge socket not served", path=self.path, reason=str(error), advice=advice)

    def close(self) -> None:
        """Stop serving, or standing by."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(self._standby_s)
        if self.socket is not None:
            self.socket.close()

    def _serve(self) -> None:
        self.socket = MungeSocket(self.path, self._key)
        log.info("munge socket served", path=self.path)

    def _stand_by(self) -> None:
        while not self._stop.wait(self._standby_s):
            if self._is_served():
                continue
            try:
                self._serve()
            except SocketInUse:
                continue
            except (NotASocket, OSError) as error:
                log.warning("munge socket cannot be taken over", path=self.path, reason=str(error))
            return

    def _is_served(self) -> bool:
        """Whether the other still answers; it is asked for something, as a connection that asks nothing is logged."""
        try:
            munge_client.ask(self.path, EncodeRequest())
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except (OSError, DecodeError):
            return True
        return True

    def _look_at_the_other(self) -> None:
        """Tell whose credentials clients get, and whether they are any good here."""
        try:
            sealed = munge_client.ask(self.path, EncodeRequest())
            assert isinstance(sealed, Sealed)
            inspect(self._key, sealed.credential.decode())
        except CredentialError:
            advice = "name its key as munge_key, or another path as munge_socket"
            log.warning(
                "a munged with another key runs here; its credentials are refused", path=self.path, advice=advice
            )
        except Exception as error:
            log.warning(
                "somebody listens at the munge socket but gives no credential", path=self.path, reason=str(error)
            )
        else:
            log.info("munge socket left to the munged that runs here; it has the same key", path=self.path)
