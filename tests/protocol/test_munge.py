"""MUNGE credentials: what is sealed opens, and nothing else does."""

import os
import shutil
import subprocess
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.auth import (
    BodyMismatch,
    CredentialError,
    ExpiredCredential,
    ForgedCredential,
    Identity,
    MalformedCredential,
    MungeKey,
    NoCredential,
    ReplayCache,
    ReplayedCredential,
    RestrictedCredential,
    RewoundCredential,
    Signer,
    UnsupportedPlugin,
    authenticate,
    body_digest,
    seal,
    unseal,
)
from protocol.frame import AuthSection, Frame
from protocol.versions import Version

SECRET = bytes(range(128))
KEY = MungeKey(SECRET)
IDS = st.integers(0, 0xFFFFFFFE)


def sealed(payload: bytes = b"hello", **more) -> str:
    return seal(KEY, payload, **{"uid": 1001, "gid": 100, "now_s": 1000, **more})


@given(st.binary(max_size=300), IDS, IDS, st.integers(0, 1 << 31))
def test_what_was_sealed_opens(payload, uid, gid, now_s):
    credential = unseal(KEY, seal(KEY, payload, uid=uid, gid=gid, now_s=now_s), now_s=now_s)
    assert (credential.payload, credential.uid, credential.gid) == (payload, uid, gid)
    assert (credential.encode_time_s, credential.ttl_s) == (now_s, 300)


def test_the_same_noise_gives_the_same_text():
    assert sealed(random=bytes) == sealed(random=bytes) != sealed()


def test_another_key_opens_nothing():
    with pytest.raises(ForgedCredential):
        unseal(MungeKey(bytes(128)), sealed(), now_s=1000)


@given(st.integers(0, 10_000), st.integers(0, 7))
def test_a_flipped_bit_is_noticed(position, bit):
    text = sealed(random=bytes)
    place = 6 + position % (len(text) - 7)
    broken = text[:place] + chr(ord(text[place]) ^ 1 << bit) + text[place + 1 :]
    with pytest.raises((ForgedCredential, MalformedCredential)):
        unseal(KEY, broken, now_s=1000)


@given(st.text(max_size=80))
def test_text_that_is_no_credential_is_malformed(text):
    for candidate in (text, f"MUNGE:{text}", f"MUNGE:{text}:"):
        with pytest.raises(MalformedCredential):
            unseal(KEY, candidate, now_s=1000)


def test_a_credential_cut_short_is_not_believed():
    text = sealed()
    for end in range(len(text) - 1):
        with pytest.raises(CredentialError):
            unseal(KEY, text[:end] + ":", now_s=1000)


@pytest.mark.parametrize("now_s", (1000 - 300, 1000, 1000 + 300))
def test_a_credential_lives_as_long_as_its_ttl_in_both_directions(now_s):
    assert unseal(KEY, sealed(), now_s=now_s)


def test_too_old_and_too_young_credentials_are_told_apart():
    with pytest.raises(ExpiredCredential):
        unseal(KEY, sealed(), now_s=1301)
    with pytest.raises(RewoundCredential):
        unseal(KEY, sealed(), now_s=699)
    with pytest.raises(ExpiredCredential):
        unseal(KEY, sealed(ttl_s=10**6), now_s=1000 + 3601)


def test_a_credential_for_another_reader_is_refused():
    assert unseal(KEY, sealed(uid_restriction=7), now_s=1000, reader_uid=7)
    with pytest.raises(RestrictedCredential):
        unseal(KEY, sealed(uid_restriction=7), now_s=1000, reader_uid=8)
    with pytest.raises(RestrictedCredential):
        unseal(KEY, sealed(gid_restriction=7), now_s=1000, reader_gid=8)


def test_a_replay_is_refused_until_the_credential_expires_anyway():
    cache = ReplayCache()
    first, second = (unseal(KEY, sealed(), now_s=1000) for _ in range(2))
    cache.check(first, 1000)
    cache.check(second, 1000)
    with pytest.raises(ReplayedCredential):
        cache.check(first, 1100)


def test_the_replay_cache_forgets_what_expired_and_stays_within_its_capacity():
    cache = ReplayCache(capacity=10)
    for _ in range(50):
        cache.check(unseal(KEY, sealed(), now_s=1000), 1000)
    assert len(cache) == 10
    for number in range(10):
        cache.check(unseal(KEY, sealed(now_s=5000), now_s=5000 + number), 5000)
    assert len(cache) <= 10
    late = ReplayCache()
    late.check(unseal(KEY, sealed(), now_s=1000), 1000)
    late.check(unseal(KEY, sealed(now_s=5000), now_s=5000), 5000)
    assert len(late) == 1


def test_a_short_key_is_refused_and_no_key_is_shown():
    with pytest.raises(ValueError, match="too short"):
        MungeKey(b"secret")
    assert repr(KEY) == "MungeKey(...)"


def frame(payload: bytes | None, body: bytes = b"body", msg_type: int = 1008) -> Frame:
    auth = None if payload is None else AuthSection(token=sealed(payload))
    return Frame(msg_type, Version.V24_11, body=body, auth=auth)


def test_payloads_without_a_digest_are_accepted():
    assert authenticate(frame(b""), KEY, 1000) == Identity(1001, 100)
    for order in ("big", "little"):
        assert authenticate(frame(b"\1" + (1008).to_bytes(2, order)), KEY, 1000) == Identity(1001, 100)


@pytest.mark.parametrize("payload", (b"\1\0\0", b"\2" + bytes(32), b"\2", b"\7abc"))
def test_payloads_that_do_not_fit_the_body_are_refused(payload):
    with pytest.raises(BodyMismatch):
        authenticate(frame(payload), KEY, 1000)


def test_a_frame_without_a_credential_or_with_a_strange_one_is_refused():
    with pytest.raises(NoCredential):
        authenticate(frame(None), KEY, 1000)
    with pytest.raises(UnsupportedPlugin):
        authenticate(Frame(1008, auth=AuthSection(102, "token")), KEY, 1000)


def test_a_mismatched_body_does_not_use_up_the_credential():
    cache, signer = ReplayCache(), Signer(KEY, 5, 5)
    genuine = Frame(1008, Version.V24_11, body=b"body", auth=signer.auth_section(1008, b"body", 1000))
    tampered = Frame(1008, Version.V24_11, body=b"boDy", auth=genuine.auth)
    with pytest.raises(BodyMismatch):
        authenticate(tampered, KEY, 1000, cache)
    assert authenticate(genuine, KEY, 1000, cache).uid == 5


@pytest.mark.parametrize(
    ("size", "digest"),
    (
        (0, "1ac2d450fc3b4205d19da7bfca1b37513c0803577ac7167f06fe2ce1f0ef39e5"),
        (17, "6bf75fa2239198db4772e36478f8e19b0f371205f6a9a93a273f51df37122888"),
    ),
)
def test_the_hash_is_kangaroo_twelve(size, digest):
    from Crypto.Hash import KangarooTwelve

    data = bytes(number % 251 for number in range(size))
    assert KangarooTwelve.new(data).read(32).hex() == digest
    assert body_digest(0x1234, data) == KangarooTwelve.new(data, custom=b"\x12\x34").read(32)
    assert body_digest(0x1234, data) != body_digest(0x1235, data)


def test_a_large_body_that_was_hashed_before_does_not_lend_its_digest_to_another():
    from Crypto.Hash import KangarooTwelve

    bodies = [bytes((first,)) * 300_000 for first in (1, 1, 2)]
    for body in (*bodies, bodies[0], bodies[2]):
        assert body_digest(2004, body) == KangarooTwelve.new(body, custom=(2004).to_bytes(2, "big")).read(32)


@pytest.fixture
def munged(tmp_path):
    """A real munged with our key; its socket."""
    tmp_path.chmod(0o755)
    key = tmp_path / "key"
    key.write_bytes(SECRET)
    key.chmod(0o600)
    socket = tmp_path / "socket"
    files = [f"--{name}-file={tmp_path / name}" for name in ("pid", "log", "seed")]
    command = [shutil.which("munged") or "/usr/sbin/munged", "-F", "-f", f"--key-file={key}", f"--socket={socket}"]
    process = subprocess.Popen([*command, *files], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 10
    while subprocess.run(["munge", "-S", socket, "-n"], capture_output=True).returncode:
        assert time.monotonic() < deadline and process.poll() is None, "munged did not start"
    yield socket
    process.terminate()
    process.wait(10)


@pytest.mark.slurm
@pytest.mark.skipif(not shutil.which("munge"), reason="needs munge")
def test_munged_opens_ours_and_we_open_what_munged_makes(munged):
    text = seal(KEY, b"from us", uid=os.getuid(), gid=os.getgid(), now_s=time.time())
    opened = subprocess.run(["unmunge", "-S", munged], input=text, capture_output=True, text=True)
    assert opened.returncode == 0 and opened.stdout.endswith("from us")
    for cipher in ("none", "aes128", "aes256"):
        for mac in ("sha256", "sha512"):
            for compression in ("none", "zlib", "bzlib"):
                command = ["munge", "-S", munged, "-c", cipher, "-m", mac, "-z", compression, "-s", "a" * 2000]
                made = subprocess.run(command, capture_output=True, text=True, check=True)
                credential = unseal(KEY, made.stdout.strip(), now_s=time.time())
                assert (credential.payload, credential.uid) == (b"a" * 2000, os.getuid())
