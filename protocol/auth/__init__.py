"""Authentication: MUNGE credentials (`munge`), the hash of bodies (`k12`), and what they prove about a frame
(`identity`)."""

from __future__ import annotations

from protocol.auth.identity import (
    BodyMismatch,
    Identity,
    NoCredential,
    Signer,
    UnsupportedPlugin,
    authenticate,
    sign,
)
from protocol.auth.k12 import body_digest
from protocol.auth.munge import (
    ANY,
    Credential,
    CredentialError,
    ExpiredCredential,
    ForgedCredential,
    MalformedCredential,
    MungeKey,
    ReplayCache,
    ReplayedCredential,
    RestrictedCredential,
    RewoundCredential,
    seal,
    unseal,
)

__all__ = [
    "ANY",
    "BodyMismatch",
    "Credential",
    "CredentialError",
    "ExpiredCredential",
    "ForgedCredential",
    "Identity",
    "MalformedCredential",
    "MungeKey",
    "NoCredential",
    "ReplayCache",
    "ReplayedCredential",
    "RestrictedCredential",
    "RewoundCredential",
    "Signer",
    "UnsupportedPlugin",
    "authenticate",
    "body_digest",
    "seal",
    "sign",
    "unseal",
]
