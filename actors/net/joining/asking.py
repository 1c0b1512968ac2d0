"""A node's side: show the token to the controllers that it names, one after the other, until one gives the key."""

from __future__ import annotations

import secrets
import socket
import ssl
import time
from typing import Any

import msgspec

from actors.net.joining import messages
from actors.net.joining.messages import Answer, Join, TooLong
from actors.net.joining.tokens import Claims
from flurm.tls.names import parse_uri

PATIENCE_S = 60.0
"""How long a controller may take to be there: at boot all machines of a site come up together."""
CALL_S = 15.0
POLL_S = 1.0


class JoinFailed(Exception):
    """No controller gave the key; the text says what each one said."""


class _Refused(Exception):
    """For good: no other controller will say otherwise."""


def fetch_key(claims: Claims, token: str, node: str, *, patience_s: float = PATIENCE_S) -> bytes:
    """The cluster's MUNGE key. Raises JoinFailed."""
    wish = Join(token.strip(), node, secrets.token_urlsafe(24))
    deadline_s = time.monotonic() + patience_s
    while True:
        said = []
        for door in claims.doors:
            try:
                return _ask(door, claims, wish)
            except _Refused as refusal:
                raise JoinFailed(f"{door}: {refusal}") from refusal
            except (OSError, TooLong, msgspec.DecodeError) as error:
                said.append(f"{door}: {error}")
        if time.monotonic() > deadline_s:
            raise JoinFailed("; ".join(said) or "the token names no controller")
        time.sleep(POLL_S)


def _ask(door: str, claims: Claims, wish: Join) -> bytes:
    host, _, port = door.rpartition(":")
    plain = socket.create_connection((host.strip("[]"), int(port)), timeout=CALL_S)
    with plain, _context(claims).wrap_socket(plain) as connection:
        _check(connection, claims.cluster)
        messages.send(connection, wish)
        answer = msgspec.json.decode(messages.receive(connection), type=Answer)
    if answer.again:
        raise OSError(answer.error)
    if not answer.munge_key:
        raise _Refused(answer.error)
    return answer.munge_key


def _context(claims: Claims) -> ssl.SSLContext:
    """Believes the authority in the token, and no other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # names are the cluster's, not the domain name system's: see `_check`
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_verify_locations(cadata=b"".join(claims.authorities))
    return context


def _check(connection: ssl.SSLSocket, cluster: str) -> None:
    """Only a controller of the cluster gets to see the token. Raises OSError."""
    names: Any = (connection.getpeercert() or {}).get("subjectAltName", ())
    found = [parse_uri(value) for kind, value in names if kind == "URI"]
    if not any(each is not None and each[:2] == (cluster, "controller") for each in found):
        raise OSError(f"its certificate is not that of a controller of cluster {cluster}")
