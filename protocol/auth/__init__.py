"""Authentication: MUNGE credentials (`munge`), tokens (`slurm_token`, `jwt`), the hash of bodies (`k12`), what they
prove about a frame (`identity`), and which of them a daemon accepts (`authority`)."""

from __future__ import annotations

from protocol.auth.authority import Authority, NoneSigner, UnknownUser
from protocol.auth.identity import (
    BodyMismatch,
    FrameSigner,
    Identity,
    NoCredential,
    Signer,
    UnsupportedPlugin,
    authenticate,
    sign,
)
from protocol.auth.jwt import JwtSigner, make_user_token, token_user
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
from protocol.auth.slurm_token import Claims, TokenSigner, check_token, make_token
from protocol.auth.tokens import TokenKey

__all__ = [
    "ANY",
    "Authority",
    "BodyMismatch",
    "Claims",
    "Credential",
    "CredentialError",
    "ExpiredCredential",
    "ForgedCredential",
    "FrameSigner",
    "Identity",
    "JwtSigner",
    "MalformedCredential",
    "MungeKey",
    "NoCredential",
    "NoneSigner",
    "ReplayCache",
    "ReplayedCredential",
    "RestrictedCredential",
    "RewoundCredential",
    "Signer",
    "TokenKey",
    "TokenSigner",
    "UnknownUser",
    "UnsupportedPlugin",
    "authenticate",
    "body_digest",
    "check_token",
    "make_token",
    "make_user_token",
    "seal",
    "sign",
    "token_user",
    "unseal",
]
