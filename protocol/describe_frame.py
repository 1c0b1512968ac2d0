"""A whole message as a readable tree: header, credential, body. The companion of `protocol.describe` for frames.

With the cluster's key the credential is opened, however old it is: who made it, when, for whom, and whether the hash in
it is that of this body. Nothing here decides whether a message is to be trusted (`protocol.auth` does).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator

from protocol import versions
from protocol.auth.k12 import body_digest
from protocol.auth.munge import ANY, CredentialError, MungeKey, inspect
from protocol.codec import message_name
from protocol.constants import (
    AUTH_PLUGIN_JWT,
    AUTH_PLUGIN_MUNGE,
    AUTH_PLUGIN_NONE,
    AUTH_PLUGIN_SLURM,
    HASH_K12,
    HASH_NONE,
    HeaderFlag,
)
from protocol.describe import Node, describe, describe_partial
from protocol.frame import AuthSection, Frame
from protocol.kinds import Fault, Message
from protocol.meaning import full_name, time_text

__all__ = ["describe_fault", "describe_message", "hexdump", "title"]

_PLUGINS = {AUTH_PLUGIN_NONE: "none", AUTH_PLUGIN_MUNGE: "munge", AUTH_PLUGIN_JWT: "jwt", AUTH_PLUGIN_SLURM: "slurm"}


def title(message: Message) -> str:
    """Name, number, version and kind on one line."""
    parts = [message.name or message.kind]
    if message.number is not None:
        parts.append(f"({int(message.number)})")
    if message.version:
        parts.append(versions.name(message.version))
    return " ".join([*parts, message.kind])


def describe_message(message: Message, key: bytes | None = None) -> list[Node]:
    """Header, credential and body, as far as the message has them. `key` are the bytes of munge.key or slurm.key."""
    nodes = _envelope(message, key)
    nodes.append(describe(message.record, message.version))
    return nodes


def describe_fault(fault: Fault, key: bytes | None = None) -> list[Node]:
    """The same for a message that cannot be read: what was understood of it."""
    nodes = _envelope(fault.message, key)
    if fault.message.record is not None:
        return [*nodes, describe(fault.message.record, fault.message.version)]
    body = describe_partial(fault.error, fault.message.version)
    return nodes if body is None else [*nodes, body]


def hexdump(data: bytes, around: int | None = None, *, context: int = 48) -> Iterator[str]:
    """Lines of 16 bytes with offsets, all of them or those near `around`, which is marked."""
    start, end = 0, len(data)
    if around is not None:
        start, end = max(around - context, 0) & ~15, min(around + context, len(data))
    for offset in range(start, max(end, start + 1), 16):
        chunk = data[offset : offset + 16]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in chunk)
        yield f"{offset:08x}  {chunk.hex(' '):47}  {text}"
        if around is not None and offset <= around < offset + 16:
            yield f"{' ' * (10 + 3 * (around - offset))}^^ byte {around}"


def _envelope(message: Message, key: bytes | None) -> list[Node]:
    if message.frame is None:
        return []
    frame = message.frame
    nodes = [_header(frame)]
    if frame.auth is not None:
        nodes.append(
            Node("credential", _PLUGINS[frame.auth.plugin_id], None, list(_credential(frame, frame.auth, key)))
        )
    return nodes


def _header(frame: Frame) -> Node:
    flags = full_name(HeaderFlag, frame.flags)
    children = [
        Node("version", f"{versions.name(frame.version)} ({frame.version:#06x})", frame.version),
        Node("flags", f"{flags or 'none'} ({frame.flags:#06x})", {"value": frame.flags, "name": flags}),
        Node("msg_type", f"{message_name(frame.msg_type, frame.version)} ({frame.msg_type})", frame.msg_type),
        Node("body_length", f"{len(frame.body)} bytes", len(frame.body)),
    ]
    if frame.forward is not None:
        forward = frame.forward
        value = {name: getattr(forward, name) for name in forward.__struct_fields__}
        text = f"{forward.count} nodes ({forward.nodes}), timeout {forward.timeout_ms} ms, width {forward.tree_width}"
        children.append(Node("forward", text, value))
    for item in frame.ret_list:
        name = f"answer of {item.node_name}"
        node = describe(item.body, frame.version, name)
        node.text = f"{message_name(item.msg_type)}, error {item.error}"
        children.append(node)
    if frame.orig_addr.host:
        children.append(Node("orig_addr", f"{frame.orig_addr.host}:{frame.orig_addr.port}", frame.orig_addr.host))
    return Node("header", "", None, children)


def _credential(frame: Frame, auth: AuthSection, key: bytes | None) -> Iterator[Node]:
    if auth.plugin_id == AUTH_PLUGIN_NONE:
        yield Node("uid", str(auth.uid), auth.uid)
        yield Node("gid", str(auth.gid), auth.gid)
        yield Node("hostname", str(auth.hostname), auth.hostname)
        return
    yield Node("token", str(auth.token), auth.token)
    if auth.plugin_id == AUTH_PLUGIN_MUNGE:
        if key is not None:
            yield from _munge(frame, auth, key)
        return
    if auth.plugin_id == AUTH_PLUGIN_JWT:
        yield Node("user_name", str(auth.user_name), auth.user_name)
    yield from _token(frame, auth.token or "", key)


def _munge(frame: Frame, auth: AuthSection, key: bytes) -> Iterator[Node]:
    try:
        found = inspect(MungeKey(key), auth.token)
    except (CredentialError, ValueError) as error:
        yield Node("opened", f"no: {error}", False)
        return
    yield Node("uid", str(found.uid), found.uid)
    yield Node("gid", str(found.gid), found.gid)
    yield Node("made", time_text(found.encode_time_s), found.encode_time_s)
    yield Node("ttl", f"{found.ttl_s} s", found.ttl_s)
    reader = "anybody" if found.uid_restriction == ANY else f"uid {found.uid_restriction}"
    yield Node("readable_by", reader, found.uid_restriction)
    yield _hash(frame, found.payload)


def _token(frame: Frame, token: str, key: bytes | None) -> Iterator[Node]:
    """A signed token says everything in clear; with the key its signature is compared too."""
    try:
        signed, _, signature = token.rpartition(".")
        claims = json.loads(_unbase64(signed.split(".")[1]))
        for name, value in claims.items():
            text = time_text(value) if name in ("iat", "exp") and isinstance(value, int) else json.dumps(value)
            yield Node(str(name), text, value)
        if isinstance(claims.get("payload"), str):
            yield _hash(frame, base64.b64decode(claims["payload"]))
        if key is not None:
            good = hmac.compare_digest(_unbase64(signature), hmac.digest(key, signed.encode(), hashlib.sha256))
            yield Node("signature", "ok" if good else "made with another key", good)
    except (ValueError, IndexError, AttributeError) as error:
        yield Node("opened", f"no: {error}", False)


def _hash(frame: Frame, payload: bytes) -> Node:
    number = frame.msg_type
    if not payload:
        return Node("body_hash", "none", None)
    if payload[0] == HASH_NONE:
        good = payload[1:] in (number.to_bytes(2, "big"), number.to_bytes(2, "little"))
        return Node("body_hash", f"message number alone, {'ok' if good else 'of another message'}", good)
    if payload[0] != HASH_K12:
        return Node("body_hash", f"type {payload[0]}, not known here", None)
    good = hmac.compare_digest(payload[1:], body_digest(number, frame.body))
    return Node("body_hash", f"k12, {'ok' if good else 'of another body'}", good)


def _unbase64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
