"""Launch, sbcast and net credentials: what lets a node daemon believe that a job or step was really allocated.

With MUNGE a launch credential is a packed body and a signature over exactly those bytes: a MUNGE credential of the
controller's user whose payload they are. Only step credentials are signed; the ones inside a batch launch, a prolog
launch and a termination travel from the controller itself and have an empty signature. Until 23.02 the signature is
memory with a terminating zero, later it is text.

With auth/slurm (from 23.11 on) the whole credential is one token instead, and every one is signed; its payload is the
same packed body. Whoever receives either form gets the body from `open_launch_credential`.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from protocol.auth.identity import Signer, check_reader
from protocol.auth.munge import ANY, Credential, ForgedCredential, MalformedCredential, MungeKey, unseal
from protocol.auth.slurm_token import MAX_LAUNCH_TOKEN, Claims, SbcastClaims, TokenIdentity, TokenSigner, check_token
from protocol.auth.tokens import TokenKey
from protocol.codec import pack, unpack
from protocol.constants import NO_VAL
from protocol.credential_body import NodeCores, credential_body
from protocol.errors import DecodeError, EncodeError
from protocol.messages.common import StepId, UserIdentity
from protocol.messages.credentials import CredentialBody, LaunchCredential, SbcastCredential
from protocol.messages.nodes import NodeAliasAddrs
from protocol.versions import Version, is_supported

__all__ = [
    "NodeCores",
    "check_launch_credential",
    "check_sbcast_credential",
    "credential_body",
    "io_key",
    "launch_credential",
    "net_credential",
    "open_launch_credential",
    "open_net_credential",
    "open_sbcast_credential",
    "sbcast_credential",
    "unsigned",
    "unsigned_or_token",
]


def unsigned(body: CredentialBody, version: int) -> LaunchCredential:
    """The credential as it stands in batch launches, prolog launches and terminations."""
    return LaunchCredential(credential=body, signature=b"" if version <= Version.V23_02 else None)


def unsigned_or_token(
    body: CredentialBody, version: int, signer: object, now_s: float, *, restrict_uid: int = ANY
) -> LaunchCredential:
    """The credential as it stands in batch launches, prolog launches and terminations of whatever plugin is used."""
    if isinstance(signer, TokenSigner):
        return launch_credential(body, version, signer, now_s, restrict_uid=restrict_uid)
    return unsigned(body, version)


def launch_credential(
    body: CredentialBody, version: int, signer: Signer | TokenSigner, now_s: float, *, restrict_uid: int = ANY
) -> LaunchCredential:
    """A signed step credential; `restrict_uid` is the uid that node daemons run as (22.05 sets it, and every token;
    MUNGE credentials of later releases do not). Raises EncodeError for a token in a release that has none."""
    if isinstance(signer, TokenSigner):
        return LaunchCredential(
            token=_token("launch", pack(body, version), body.id, version, signer, now_s, restrict_uid)
        )
    signature = _signature(signer.seal(pack(body, version), now_s, restrict_uid), version)
    return LaunchCredential(credential=body, signature=signature)


def sbcast_credential(
    credential: SbcastCredential, version: int, signer: Signer | TokenSigner, now_s: float, *, restrict_uid: int = ANY
) -> SbcastCredential:
    """The same credential with its signature filled in, or as a token."""
    if isinstance(signer, TokenSigner):
        claims = _sbcast_claims(credential, version)
        token = _token("sbcast", None, credential.id, version, signer, now_s, restrict_uid, sbcast=claims)
        return SbcastCredential(token=token)
    signature = _signature(signer.seal(_sbcast_payload(credential, version), now_s, restrict_uid), version)
    return msgspec.structs.replace(credential, signature=signature)


def check_launch_credential(
    credential: LaunchCredential, version: int, key: MungeKey, now_s: float, *, reader_uid: int | None = None
) -> Credential:
    """Who signed a launch credential. Raises CredentialError when nobody did or when it says something else."""
    return _check(credential.signature, pack(credential.credential, version), key, now_s, reader_uid)


def check_sbcast_credential(
    credential: SbcastCredential, version: int, key: MungeKey, now_s: float, *, reader_uid: int | None = None
) -> Credential:
    """Who signed an sbcast credential. Raises CredentialError; its own `expiration` is for the caller to compare."""
    return _check(credential.signature, _sbcast_payload(credential, version), key, now_s, reader_uid)


def open_launch_credential(
    credential: LaunchCredential,
    version: int,
    key: MungeKey | TokenKey,
    now_s: float,
    *,
    reader_uids: Collection[int] = (),
) -> CredentialBody:
    """What a signed credential of either form says, once it is proven. Raises CredentialError."""
    if isinstance(key, MungeKey):
        if credential.token is not None:
            raise MalformedCredential("a launch credential of auth/slurm, which is not used here")
        signed = check_launch_credential(credential, version, key, now_s)
        check_reader(signed.uid, signed.uid_restriction, reader_uids)
        return credential.credential
    claims = _open_token(credential.token, "launch", key, now_s, reader_uids)
    if not is_supported(claims.ver):
        raise MalformedCredential(f"a launch credential of the unknown version {claims.ver:#x}")
    try:
        body = unpack(CredentialBody, claims.data, claims.ver)
    except DecodeError as error:
        raise MalformedCredential(f"a launch credential that cannot be read: {error}") from error
    body.id = _identity(claims, body.id)
    if (claims.uid, claims.gid) != (body.id.uid, body.id.gid):
        raise ForgedCredential("a launch credential that names two users")
    return body


def open_sbcast_credential(
    credential: SbcastCredential,
    version: int,
    key: MungeKey | TokenKey,
    now_s: float,
    *,
    reader_uids: Collection[int] = (),
) -> SbcastCredential:
    """What a signed sbcast credential of either form says, once it is proven. Raises CredentialError."""
    if isinstance(key, MungeKey):
        if credential.token is not None:
            raise MalformedCredential("an sbcast credential of auth/slurm, which is not used here")
        signed = check_sbcast_credential(credential, version, key, now_s)
        check_reader(signed.uid, signed.uid_restriction, reader_uids)
        return credential
    claims = _open_token(credential.token, "sbcast", key, now_s, reader_uids)
    told = claims.sbcast
    if told is None:
        raise MalformedCredential("an sbcast token that does not say what it is for")
    step = StepId(_sluid_number(told.sluid), told.job_id, told.step_id, NO_VAL)
    return SbcastCredential(
        step=step, id=_identity(claims, UserIdentity()), ctime=claims.iat, expiration=claims.exp, job_id=told.job_id,
        het_job_id=told.het_job_id, step_id=told.step_id, nodes=told.nodes, token=credential.token,
    )  # fmt: skip


def net_credential(addresses: NodeAliasAddrs, version: int, signer: Signer | TokenSigner, now_s: float) -> str:
    """Signed addresses of nodes, as they travel in RESPONSE_NODE_ALIAS_ADDRS and in forwarding headers."""
    payload = pack(addresses, version)
    if isinstance(signer, TokenSigner):
        return signer.token("net", payload, version, now_s)
    return signer.seal(payload, now_s)


def open_net_credential(
    text: str | None, version: int, key: MungeKey | TokenKey, now_s: float, *, signer_uids: Collection[int]
) -> NodeAliasAddrs:
    """The addresses in a net credential that one of `signer_uids` has made. Raises CredentialError."""
    if isinstance(key, MungeKey):
        signed = unseal(key, text, now_s=now_s)
        maker_uid, payload = signed.uid, signed.payload
    else:
        claims = check_token(key, text, now_s, contexts=("net",), limit=MAX_LAUNCH_TOKEN)
        maker_uid, payload, version = claims.uid, claims.data, claims.ver
    if maker_uid not in signer_uids:
        raise ForgedCredential(f"node addresses signed by uid {maker_uid}")
    try:
        return unpack(NodeAliasAddrs, payload, version)
    except DecodeError as error:
        raise MalformedCredential(f"node addresses that cannot be read: {error}") from error


def io_key(credential: LaunchCredential) -> bytes | str | None:
    """What a step's I/O connections identify themselves with: the signature of its credential, or its token."""
    return credential.signature if credential.token is None else credential.token


def _token(
    context: str,
    payload: bytes | None,
    identity: UserIdentity,
    version: int,
    signer: TokenSigner,
    now_s: float,
    restrict_uid: int,
    **more: object,
) -> str:
    if version <= Version.V23_02:
        raise EncodeError(f"{context} credential", reason="auth/slurm exists from 23.11 on")
    who = TokenIdentity(identity.pw_name, identity.pw_gecos, identity.pw_dir, identity.pw_shell, list(identity.gids))
    return signer.token(
        context, payload, version, now_s, restrict_uid=restrict_uid, uid=identity.uid, gid=identity.gid, id=who, **more
    )


def _open_token(text: str | None, context: str, key: TokenKey, now_s: float, reader_uids: Collection[int]) -> Claims:
    if text is None:
        raise MalformedCredential(f"a {context} credential without a token")
    return check_token(key, text, now_s, contexts=(context,), reader_uids=reader_uids, limit=MAX_LAUNCH_TOKEN)


def _identity(claims: Claims, otherwise: UserIdentity) -> UserIdentity:
    """The user whom a token names; what it leaves out is taken from its payload."""
    told = claims.id
    if told is None:
        return otherwise
    names = list(otherwise.gr_names)
    return UserIdentity(claims.uid, claims.gid, told.name, told.gecos, told.dir, told.shell, list(told.gids), names)


def _sbcast_claims(credential: SbcastCredential, version: int) -> SbcastClaims:
    step = credential.step
    job_id, step_id = credential.job_id or step.job_id, credential.step_id or step.step_id
    sluid = _sluid_text(step.sluid) if version >= Version.V25_11 and step.sluid else None
    return SbcastClaims(credential.nodes or "", job_id, step_id, credential.het_job_id, sluid)


_BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def _sluid_text(sluid: int) -> str:
    """A job's unique id as Slurm writes it: an s and 13 digits of Crockford's base 32."""
    return "s" + "".join(_BASE32[sluid >> shift & 31] for shift in range(60, -1, -5))


def _sluid_number(text: str | None) -> int:
    number = 0
    for digit in (text or "")[1:]:
        if digit not in _BASE32:
            raise MalformedCredential(f"an sbcast token with the unique id {text!r}")
        number = number << 5 | _BASE32.index(digit)
    return number & 0xFFFFFFFFFFFFFFFF


def _check(
    signature: bytes | str | None, payload: bytes, key: MungeKey, now_s: float, reader_uid: int | None
) -> Credential:
    if isinstance(signature, bytes):
        signature = signature.rstrip(b"\0").decode("ascii", "replace")
    if not signature:
        raise MalformedCredential("a launch credential without a signature")
    signed = unseal(key, signature, now_s=now_s, reader_uid=reader_uid)
    if signed.payload != payload:
        raise ForgedCredential("the signature belongs to another launch credential")
    return signed


def _signature(text: str, version: int) -> bytes | str:
    return text.encode() + b"\0" if version <= Version.V23_02 else text


def _sbcast_payload(credential: SbcastCredential, version: int) -> bytes:
    """The packed credential up to its signature, which stands last and whose absence takes four bytes."""
    blank = b"" if version <= Version.V23_02 else None
    return pack(msgspec.structs.replace(credential, signature=blank), version)[:-4]
