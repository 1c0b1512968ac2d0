"""Asking a munged: one request, one answer. Imports little, because every client command does it."""

from __future__ import annotations

import socket

from protocol.auth.munged import DecodeRequest, EncodeRequest, Opened, Sealed, decode_answer, encode_request

__all__ = ["ask"]


def ask(path: str, request: EncodeRequest | DecodeRequest, timeout_s: float = 5.0) -> Sealed | Opened:
    """What the munged at `path` answers. Raises OSError, DecodeError."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout_s)
        connection.connect(path)
        connection.sendall(encode_request(request))
        with connection.makefile("rb") as stream:
            return decode_answer(stream.read())
