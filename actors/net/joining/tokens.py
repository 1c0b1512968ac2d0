"""Join tokens: what a node needs to know to get the cluster's key, in one line of text.

A token is a JWT (RFC 7519, HS256), signed with a key that is derived from the MUNGE key, so that every controller can
prove it and nobody else can make one. The node cannot prove it and need not: it trusts whoever gave it the token, and
finds in it the authority that the controllers' certificates are of. So a token must come to the node by a way that
nobody else can read or change.
"""

from __future__ import annotations

import base64
import ssl
from typing import Any

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from protocol.auth import CredentialError
from protocol.auth.tokens import MAX_TOKEN, TokenKey, open_token, seal_token

PURPOSE = "flurm join token"


class BadToken(Exception):
    """This is no join token, or not one of this cluster that counts; the text says what is wrong."""


class Claims(msgspec.Struct, frozen=True):
    """What a token says."""

    cluster: str
    id: str
    expires_s: int
    authorities: tuple[bytes, ...]
    """The certificates (DER) of which the controllers' are."""
    doors: tuple[str, ...]
    """host:port where controllers hand the key out."""
    controllers: tuple[str, ...]
    """host:port where they speak Slurm."""


class _Wire(msgspec.Struct):
    """The same as the JWT has it."""

    aud: str
    iss: str
    jti: str
    exp: int
    ca: list[str]
    doors: list[str]
    ctl: list[str]


def key_of(munge_key: bytes) -> TokenKey:
    """What tokens are signed with: tells nothing of the key that it is derived from, and is good for nothing else."""
    return TokenKey(HKDF(hashes.SHA256(), 32, None, PURPOSE.encode()).derive(munge_key))


def seal(key: TokenKey, claims: Claims, now_s: float) -> str:
    """The token that says this."""
    return seal_token(
        key,
        {
            "aud": PURPOSE,
            "iss": claims.cluster,
            "jti": claims.id,
            "iat": int(now_s),
            "exp": claims.expires_s,
            "ca": [base64.b64encode(each).decode() for each in claims.authorities],
            "doors": list(claims.doors),
            "ctl": list(claims.controllers),
        },
    )


def prove(key: TokenKey, text: str, cluster: str, now_s: float) -> Claims:
    """What a genuine token of this cluster says that has not expired. Raises BadToken."""
    try:
        claims = _claims(open_token(key, text, now_s))
    except CredentialError as error:
        raise BadToken(str(error)) from error
    if claims.cluster != cluster:
        raise BadToken(f"the token is of cluster {claims.cluster}, this is {cluster}")
    return claims


def read(text: str) -> Claims:
    """What a token says, whoever made it and whenever it ends: for the node. Raises BadToken."""
    text = text.strip()
    try:
        payload = text.split(".")[1] if len(text) <= MAX_TOKEN and text.count(".") == 2 else ""
        return _claims(msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))
    except (ValueError, msgspec.DecodeError) as error:
        raise BadToken("expected a token as `flurm nodes token create` prints it") from error


def _claims(found: Any) -> Claims:
    try:
        wire = msgspec.convert(found, _Wire)
        authorities = tuple(base64.b64decode(each, validate=True) for each in wire.ca)
    except (msgspec.ValidationError, ValueError) as error:
        raise BadToken(f"this is no join token: {error}") from error
    if wire.aud != PURPOSE:
        raise BadToken(f"this token is for another purpose: {wire.aud}")
    return Claims(wire.iss, wire.jti, wire.exp, authorities, tuple(wire.doors), tuple(wire.ctl))


def authorities_of(path: str) -> tuple[bytes, ...]:
    """The certificates of a file in PEM, in DER. Raises OSError, ssl.SSLError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(path)
    return tuple(context.get_ca_certs(binary_form=True))
