"""What is fuzzed: each target takes bytes that an attacker may send and may only end in a value or in the package's own
error.

An input is one byte that names the target and what the target is given. `run` carries an input out and raises
`Broken` (or lets an unexpected exception through) where the promise is not kept; `seeds` are inputs to begin from:
recorded frames, bodies made at random, credentials, host lists.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from functools import cache
from hmac import digest
from json import dumps
from random import Random
from typing import Any

from protocol import versions
from protocol.auth import CredentialError, Signer, authenticate, munged, seal, unseal
from protocol.auth.jwt import token_user
from protocol.auth.slurm_token import check_token
from protocol.auth.tokens import seal_token
from protocol.codec import decode_body, decode_body_at, encode_body, message_name
from protocol.compiler import resolve
from protocol.constants import DbdMessageType, MessageType
from protocol.errors import DecodeError
from protocol.frame import FrameReader, decode_frame, encode_frame
from protocol.hostlist import HostlistError, contains, count, difference, expand, fold, fold_sorted, intersect
from protocol.messages import DbdMessages, DbdRelay, PersistInit, PersistReply
from protocol.nested import relayed, unpack_messages
from protocol.persist import PersistClient, PersistServer
from protocol.persist_events import Form, Opening
from protocol.schema import BODIES, Field, If, Record, Scalar, Switch
from protocol.stdio import IoInit, Packet, PacketType, SrunStreams, StepStreams, encode_init, encode_packet
from protocol.versions import Version
from tests.protocol.wire_data import KEY, RECORDED_VERSIONS, TOKEN_KEY, Builder, bodies, recorded_frames

__all__ = ["TARGETS", "Broken", "name_of", "run", "seeds"]

ALL = tuple(Version)
_MOST_HOSTS = 2000
_HEAD = urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=").decode()
_NOW_S = 1_700_000_000


class Broken(AssertionError):
    """A decoder did not keep its promise."""


def run(data: bytes) -> None:
    """Give the input to the target that its first byte names."""
    if data:
        _BY_NUMBER[data[0] % len(_BY_NUMBER)](data[1:])


def name_of(data: bytes) -> str:
    """Name of the target that an input is for."""
    return list(TARGETS)[data[0] % len(TARGETS)] if data else "nothing"


def seeds(random: Random, bodies_each: int = 1) -> Iterator[bytes]:
    """Inputs to begin from."""
    for version in RECORDED_VERSIONS:
        for data in recorded_frames(version):
            if len(data) < 4000:
                yield _input("frame", data)
                frame = decode_frame(data)
                yield _input("body", _body_input(frame.msg_type, frame.version, frame.body))
        yield _input("stream", b"".join(len(f).to_bytes(4, "big") + f for f in recorded_frames(version)[:5]))
    for number in bodies():
        for _ in range(bodies_each):
            version = random.choice(ALL)
            body = _made(number, version, random)
            if body is not None:
                yield _input("body", _body_input(number, version, body))
                if number in set(DbdMessageType):
                    yield _input("persist", bytes((version >> 8, random.getrandbits(2))) + _persistent(number, body))
    yield from map(_opening, ALL)
    for number, version in enumerate(ALL):
        packets = b"".join(encode_packet(Packet(kind, 0, 0, b"text")) for kind in PacketType if kind != 4)
        yield _input("stdio", bytes((number | 0x80,)) + packets)
        yield _input("stdio", bytes((number | 0x40,)) + packets)
        yield _input(
            "stdio", bytes((number,)) + encode_init(IoInit(version=version, io_key=_io_key(version))) + packets
        )
    yield _input("munged", munged.encode_request(munged.EncodeRequest()))
    yield _input("munged", munged.encode_request(munged.DecodeRequest(b"MUNGE:abcd:")))
    for payload in (b"", b"x" * 33, b"\2" + b"y" * 32):
        text = seal(KEY, payload, uid=1001, gid=1001, now_s=_NOW_S)
        yield _input("munge", text.encode())
        yield _input("sealed", bytes(8) + b"\4\x7f\0\0\1" + bytes(24) + len(payload).to_bytes(4, "big") + payload)
    times = {"exp": _NOW_S + 60, "iat": _NOW_S}
    for claims in ({"sun": "alice"}, {"context": "auth", "ver": 1, "uid": 0, "gid": 0, "payload": "AQ=="}):
        yield _input("token", seal_token(TOKEN_KEY, {**times, **claims}).encode())
        yield _input("token", dumps({**times, **claims}).encode())
    for text in ("n[1-3,07-09],login", "a[1-2]b[3-4]", "n1,n2,n03", "[1-3]", "x[001-100]-ib"):
        yield _input("hosts", text.encode())


def _input(target: str, data: bytes) -> bytes:
    return bytes((list(TARGETS).index(target),)) + data


def _body_input(number: int, version: int, body: bytes) -> bytes:
    return bytes((version >> 8,)) + number.to_bytes(2, "big") + body


def _persistent(number: int, data: bytes) -> bytes:
    return (len(data) + 2).to_bytes(4, "big") + number.to_bytes(2, "big") + data


def _opening(version: Version) -> bytes:
    client = PersistClient(version=version)
    return _input("persist", bytes((0, 4)) + client.initiate(PersistInit(), Signer(KEY, 0, 0), _NOW_S))


def _made(number: int, version: Version, random: Random) -> bytes | None:
    try:
        return encode_body(number, Builder(random.getrandbits(64), version).body(number), version)
    except Exception:
        return None


def _frame(data: bytes) -> None:
    try:
        frame = decode_frame(data)
    except DecodeError as error:
        _names_its_place(error)
        return
    if frame.version >= versions.OLDEST and not frame.ret_list and encode_frame(frame)[4:] != data:
        raise Broken("a frame is written differently from how it was read")
    try:
        authenticate(frame, KEY, _NOW_S)
    except CredentialError:
        pass
    _check_body(frame.msg_type, frame.body, frame.version)


def _body(data: bytes) -> None:
    if len(data) >= 3:
        number = int.from_bytes(data[1:3], "big")
        if number not in BODIES:
            number = bodies()[number % len(bodies())]
        version = data[0] << 8
        _check_body(number, data[3:], version if versions.is_supported(version) else ALL[data[0] % len(ALL)])


def _check_body(number: int, body: bytes, version: int) -> None:
    """Any bytes give a DecodeError that names its place, or a record that is written again as it was read."""
    try:
        record, end = decode_body_at(number, body, 0, version)
    except DecodeError as error:
        _names_its_place(error)
        return
    if not 0 <= end <= len(body):
        raise Broken(f"{message_name(number)} ends at {end} of {len(body)}")
    _inside(record, version)
    again = encode_body(number, record, version)
    if len(again) != end:
        raise Broken(f"{message_name(number)}: {end} bytes read, {len(again)} written")
    kind = BODIES[number]
    if again != body[:end] and (kind is None or _exact(kind, version)):
        raise Broken(f"{message_name(number)} is written differently from how it was read")
    if encode_body(number, decode_body(number, again, version), version) != again:
        raise Broken(f"{message_name(number)} changes each time that it is written")


def _names_its_place(error: DecodeError) -> None:
    if not error.message or (error.field and error.offset is None):
        raise Broken(f"an error that does not say where: {error!r}") from error


@cache
def _exact(record: type[Record], version: int) -> bool:
    """Whether every bit of the record counts: any non-zero byte is true, and scaled reals are rounded."""
    return not any(_loses(of, version) for of in _types(resolve(record, version)))


def _types(entries: Any) -> Iterator[Any]:
    for entry in entries:
        match entry:
            case Field(_, of):
                yield of
            case If(_, then, otherwise):
                yield from _types((*then, *otherwise))
            case Switch(_, cases):
                for _, then in cases:
                    yield from _types(then)


def _loses(of: Any, version: int) -> bool:
    if isinstance(of, Scalar):
        return of.name in ("boolean", "double")
    if hasattr(of, "record"):
        return not _exact(of.record, version)
    return _loses(of.of, version) if hasattr(of, "of") else hasattr(of, "type_field")


def _inside(record: Record | None, version: int) -> None:
    """Messages inside a message."""
    try:
        if isinstance(record, DbdMessages):
            unpack_messages(record, version)
        if isinstance(record, DbdRelay):
            relayed(record, version)
    except DecodeError as error:
        _names_its_place(error)


def _persist(data: bytes) -> None:
    """A persistent connection, from its opening or opened already, at either end."""
    if len(data) < 2:
        return
    version = ALL[data[0] % len(ALL)]
    form = Form.CONTROLLER if data[1] & 1 else Form.ACCOUNTING
    end: PersistClient | PersistServer = PersistClient(form) if data[1] & 2 else PersistServer(form)
    if isinstance(end, PersistClient):
        end.initiate(PersistInit(), Signer(KEY, 0, 0), _NOW_S)
        if not data[1] & 4:
            answer = encode_body(MessageType.PERSIST_RC, PersistReply(ret_info=version), versions.NEWEST)
            end.receive_data(_persistent(MessageType.PERSIST_RC, answer))
            end.next_event()
            end.send(DbdMessageType.DBD_GET_USERS, None if BODIES[DbdMessageType.DBD_GET_USERS] is None else _users())
    elif not data[1] & 4:
        other = PersistClient(form, version)
        end.receive_data(other.initiate(PersistInit(), Signer(KEY, 0, 0), _NOW_S))
        end.next_event()
        end.accept(version)
    try:
        end.receive_data(data[2:])
        while (event := end.next_event()) is not None:
            if isinstance(event, Opening):
                end.accept(version)  # type: ignore[union-attr]
            _inside(getattr(event, "record", None), version)
        end.receive_eof()
    except DecodeError as error:
        _names_its_place(error)


def _stdio(data: bytes) -> None:
    """The I/O connection of a step at either end, its packets in pieces."""
    version = ALL[data[0] % len(ALL)] if data else ALL[0]
    init = IoInit(version=version, nodeid=0, stdout_objs=2, stderr_objs=2, io_key=_io_key(version))
    end: SrunStreams | StepStreams
    if data and data[0] & 0x80:
        end = StepStreams(init, (0, 1))
        end.open()
    else:
        end = SrunStreams(_io_key(version), {0: (0, 1)})
        if data and data[0] & 0x40:
            end.receive_data(encode_init(init))
    try:
        for start in range(1, len(data), 97):
            end.receive_data(data[start : start + 97])
            while end.next_event() is not None:
                pass
        end.receive_eof()
    except DecodeError as error:
        if not error.message:
            raise Broken(f"an error that does not say where: {error!r}") from error


def _io_key(version: int) -> bytes | str:
    return b"key\0" if version <= Version.V23_02 else "key"


def _munged(data: bytes) -> None:
    """What a program says on the MUNGE socket, and what munged may answer."""
    reader = munged.Reader()
    try:
        message = reader.feed(data)
        if message is not None:
            munged.decode_request(message)
    except DecodeError as error:
        _names_its_place(error)
    try:
        munged.decode_answer(data)
    except DecodeError as error:
        _names_its_place(error)


def _users() -> Record:
    record = BODIES[DbdMessageType.DBD_GET_USERS]
    assert record is not None
    return record()


def _stream(data: bytes) -> None:
    """However a stream is cut into pieces, the same frames come out."""
    whole, pieces = FrameReader(limit=1 << 20), FrameReader(limit=1 << 20)
    if (frames := _fed(whole, [data])) is None:
        return
    size = data[-1] % 7 + 1 if data else 1
    cut = _fed(pieces, [data[start : start + size] for start in range(0, len(data), size)])
    if cut != frames or pieces.pending != whole.pending or pieces.missing != whole.missing:
        raise Broken("frames depend on how the stream is cut")


def _fed(reader: FrameReader, pieces: list[bytes]) -> list[bytes] | None:
    frames: list[bytes] = []
    try:
        for piece in pieces:
            reader.feed(piece)
            frames.extend(reader)
    except DecodeError as error:
        _names_its_place(error)
        return None
    return frames


def _munge(data: bytes) -> None:
    try:
        unseal(KEY, data.decode("utf-8", "surrogateescape"), now_s=_NOW_S)
    except CredentialError:
        pass


def _token(data: bytes) -> None:
    """A token as it came, and one that whoever has the key has signed around any claims."""
    signed = f"{_HEAD}.{urlsafe_b64encode(data).rstrip(b'=').decode()}"
    signature = urlsafe_b64encode(digest(TOKEN_KEY.secret, signed.encode(), "sha256")).rstrip(b"=").decode()
    for text in (data.decode("utf-8", "surrogateescape"), f"{signed}.{signature}"):
        for check in (lambda text: check_token(TOKEN_KEY, text, _NOW_S, contexts=("auth",)), _user_of):
            try:
                check(text)
            except CredentialError:
                pass


def _user_of(text: str) -> str:
    return token_user(TOKEN_KEY, text, _NOW_S)


def _sealed(data: bytes) -> None:
    """What is inside a credential that holds the right MAC: only whoever has the key gets this far."""
    from binascii import b2a_base64

    zip_ = (0, 2, 3)[data[0] % 3] if data else 0
    outer = bytes((3, 0, 5, zip_, 0))
    raw = outer + digest(KEY.mac_key, outer + data[1:], "sha256") + data[1:]
    try:
        unseal(KEY, f"MUNGE:{b2a_base64(raw, newline=False).decode()}:", now_s=_NOW_S)
    except CredentialError:
        pass


def _hosts(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    try:
        if count(text) > _MOST_HOSTS:
            return
        names = expand(text)
    except HostlistError:
        return
    if len(names) != count(text):
        raise Broken(f"{len(names)} names, but {count(text)} were counted")
    if expand(fold(names)) != names or sorted(expand(fold_sorted(names))) != sorted(names):
        raise Broken("a folded host list is another one")
    if any(not contains(text, name) for name in names[:20]) or intersect(text, text) != names or difference(text, text):
        raise Broken("a host list does not have its own names")


TARGETS: dict[str, Callable[[bytes], None]] = {
    "frame": _frame,
    "body": _body,
    "stream": _stream,
    "persist": _persist,
    "stdio": _stdio,
    "munged": _munged,
    "munge": _munge,
    "sealed": _sealed,
    "token": _token,
    "hosts": _hosts,
}
"""Name -> target; an input's first byte is an index into them."""
_BY_NUMBER = tuple(TARGETS.values())
