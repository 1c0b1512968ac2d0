"""The MUNGE socket with Debian's own munge and unmunge, beside a real munged with the same key, and with bad peers."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from actors.net import munge_client
from actors.net.munge_service import MungeService
from actors.net.munge_socket import (
    DISPLACED,
    MALFORMED,
    MAX_CONNECTIONS,
    TIMED_OUT,
    TRUNCATED,
    MungeSocket,
    NotASocket,
    SocketInUse,
)
from protocol.auth.munge import MungeKey
from protocol.auth.munge_means import CipherType, MacType, ZipType
from protocol.auth.munged import DecodeRequest, EncodeRequest, MungeError, Opened, Sealed, encode_request

SECRET = bytes(range(128))
KEY = MungeKey(SECRET)
DEADLINE_S = 10.0
THOROUGH = bool(os.environ.get("FLURM_THOROUGH"))
HELLO = encode_request(EncodeRequest(b"hello"))
MEANS = [
    (cipher.name.lower(), mac.name.lower(), zipped.name.lower())
    for cipher, mac, zipped in itertools.product(CipherType, MacType, ZipType)
    if not (cipher is CipherType.AES256 and mac in (MacType.MD5, MacType.SHA1, MacType.RIPEMD160))
    and (THOROUGH or zipped is ZipType.NONE or (cipher, mac) == (CipherType.AES128, MacType.SHA256))
]
needs_munge = pytest.mark.skipif(shutil.which("munged") is None, reason="munge is not installed")


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a short name, where other users may go."""
    with tempfile.TemporaryDirectory(prefix="flurm-munge-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.fixture
def served(place: Path) -> Iterator[MungeSocket]:
    served = MungeSocket(str(place / "socket"), KEY, patience_s=30)
    yield served
    served.close()


@pytest.fixture
def munged(place: Path) -> Iterator[str]:
    """The socket of a real munged with our key."""
    key = place / "munge.key"
    key.write_bytes(SECRET)
    key.chmod(0o600)
    paths = [f"--{name}={place / name}" for name in ("pid-file", "log-file", "seed-file")]
    path = str(place / "munged")
    daemon = subprocess.Popen(
        ["munged", "--force", "--foreground", f"--key-file={key}", f"--socket={path}", *paths],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(lambda: daemon.poll() is not None or answers(path))
    yield path
    daemon.terminate()
    daemon.wait()


def answers(path: str) -> bool:
    try:
        return not munge_client.ask(path, EncodeRequest()).error
    except OSError:
        return False


def wait_for(condition) -> None:
    give_up = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < give_up, "did not happen in time"
        threading.Event().wait(0.01)


def munge(path: str, *options: str, **more) -> str:
    words = ["munge", "-S", path, *options]
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, **more).stdout


def unmunge(path: str, credential: str, **more) -> tuple[int, str]:
    """Exit status, which is the error number, and what was printed."""
    words = ["unmunge", "-S", path]
    done = subprocess.run(words, input=credential, capture_output=True, text=True, check=False, **more)
    return done.returncode, done.stdout


def asked(path: str, request: EncodeRequest | DecodeRequest) -> Sealed | Opened:
    return munge_client.ask(path, request)


def connected(served: MungeSocket, data: bytes = b"") -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(DEADLINE_S)
    connection.connect(served.path)
    connection.sendall(data)
    return connection


@needs_munge
@pytest.mark.parametrize("ours_makes", [True, False], ids=["made here", "made by munged"])
def test_credentials_of_all_means_are_understood_by_munged_and_by_us(served, munged, ours_makes):
    maker, reader = (served.path, munged) if ours_makes else (munged, served.path)
    payload = "x" * 200
    for cipher, mac, zipped in MEANS:
        credential = munge(maker, "-c", cipher, "-m", mac, "-z", zipped, "-s", payload)
        status, printed = unmunge(reader, credential)
        assert (status, printed.endswith(payload)) == (0, True), (cipher, mac, zipped, printed)
    assert subprocess.run(["munge", "-S", maker, "-n", "-c", "aes256", "-m", "sha1"], capture_output=True).returncode


@needs_munge
def test_unmunge_prints_of_ours_what_it_prints_of_mungeds(served, munged):
    def fields(path: str) -> list[str]:
        _, printed = unmunge(path, munge(path, "-t", "77", "-g", str(os.getgid()), "-s", "hello"))
        return [line for line in printed.splitlines() if not line.startswith(("ENCODE_", "DECODE_"))]

    assert fields(served.path) == fields(munged)
    assert "TTL:             77" in fields(served.path)


@needs_munge
def test_a_mebibyte_is_the_most(served, munged):
    for path in (served.path, munged):
        most = (1 << 20) - 20
        assert not asked(path, EncodeRequest(bytes(most))).error
        with pytest.raises(OSError):
            asked(path, EncodeRequest(bytes(most + 1)))


@needs_munge
def test_refusals_have_mungeds_numbers(served, munged):
    for path in (served.path, munged):
        short_lived = asked(path, EncodeRequest(b"x", ttl_s=1))
        once = munge(path, "-s", "hello")
        results = [unmunge(path, once)[0]]
        results.append(unmunge(path, once)[0])
        results.append(unmunge(path, munge(path, "-n", "-u", "4242"))[0])
        results.append(unmunge(path, munge(path, "-n", "-g", "4242"))[0])
        results.append(unmunge(path, "hello")[0])
        results.append(unmunge(path, once[:40] + ("A" if once[40] != "A" else "B") + once[41:])[0])
        wait_for(lambda t=short_lived, p=path: asked(p, DecodeRequest(t.credential)).error == MungeError.CRED_EXPIRED)
        results.append(unmunge(path, short_lived.credential.decode())[0])
        assert results == [0, 17, 18, 18, 8, 14, 15], path


@needs_munge
@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_a_credential_says_who_asked_and_opens_for_whom_it_was_made(served):
    as_nobody = {"user": 65534, "group": 65534, "extra_groups": [4242]}
    credential = munge(served.path, "-s", "hello", **as_nobody)
    answer = asked(served.path, DecodeRequest(credential.encode()))
    assert isinstance(answer, Opened) and answer.credential is not None
    assert (answer.credential.uid, answer.credential.gid) == (65534, 65534)
    for restriction in (("-u", "65534"), ("-g", "65534"), ("-g", "4242")):
        credential = munge(served.path, "-n", *restriction)
        assert unmunge(served.path, credential)[0] == 18
        assert unmunge(served.path, credential, **as_nobody)[0] == 0


def test_everybody_may_connect(served):
    assert stat.S_IMODE(Path(served.path).stat().st_mode) == 0o666


def test_answers_are_counted(served):
    sealed = asked(served.path, EncodeRequest(b"x"))
    for _ in range(2):
        asked(served.path, DecodeRequest(sealed.credential))
    assert served.counters.answers == {
        ("encode", "success"): 1,
        ("decode", "success"): 1,
        ("decode", "cred_replayed"): 1,
    }


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n", bytes(11), HELLO[:7] + b"\xff" * 4, HELLO[:5] + b"\6" + HELLO[6:]]
)
def test_what_is_no_request_ends_its_connection_only(served, data):
    with connected(served, data) as connection:
        assert connection.recv(1) == b""
    wait_for(lambda: served.counters.dropped[MALFORMED] == 1)
    assert answers(served.path)


def test_a_request_that_ends_early_is_counted(served):
    connected(served, HELLO[:20]).close()
    wait_for(lambda: served.counters.dropped[TRUNCATED] == 1)
    assert answers(served.path)


def test_a_connection_that_says_nothing_is_no_fault(served):
    connected(served).close()
    assert answers(served.path)
    assert not any(served.counters.dropped.values())


def test_a_slow_peer_is_served_byte_by_byte(served):
    with connected(served) as connection:
        for place in range(len(HELLO)):
            connection.sendall(HELLO[place : place + 1])
        assert b"MUNGE:" in connection.recv(4096)


def test_who_takes_too_long_is_dropped_and_holds_nobody_up(place):
    served = MungeSocket(str(place / "socket"), KEY, patience_s=0.2)
    try:
        with connected(served, HELLO[:20]) as slow:
            assert answers(served.path)
            assert slow.recv(1) == b""
        assert served.counters.dropped[TIMED_OUT] == 1
    finally:
        served.close()


def test_two_hundred_idle_connections_do_not_matter_and_more_push_out_the_oldest(served):
    idle = [connected(served) for _ in range(200)]
    wait_for(lambda: served.waiting() == 200)
    assert answers(served.path)
    idle += [connected(served) for _ in range(100)]
    wait_for(lambda: served.counters.dropped[DISPLACED] == 300 - MAX_CONNECTIONS)
    assert answers(served.path)
    assert idle[0].recv(1) == b""
    for each in idle:
        each.close()


def test_a_large_answer_reaches_a_peer_that_reads_later(served):
    payload = os.urandom(1 << 19)
    with connected(served, encode_request(EncodeRequest(payload))) as connection, connection.makefile("rb") as stream:
        assert answers(served.path)
        assert len(stream.read()) > 4 * len(payload) // 3


def test_a_socket_that_is_served_is_left_alone(served):
    with pytest.raises(SocketInUse):
        MungeSocket(served.path, KEY)
    assert answers(served.path)


def test_a_socket_that_a_dead_process_left_is_replaced(place):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(place / "socket"))
    served = MungeSocket(str(place / "socket"), KEY)
    assert answers(served.path)
    served.close()
    assert not Path(served.path).exists()


def test_something_else_at_the_path_is_not_removed(place):
    (place / "socket").write_text("precious")
    with pytest.raises(NotASocket):
        MungeSocket(str(place / "socket"), KEY)
    assert (place / "socket").read_text() == "precious"


def test_closing_leaves_the_socket_of_whoever_came_after(served):
    Path(served.path).unlink()
    after = MungeSocket(served.path, KEY)
    served.close()
    assert answers(after.path)
    after.close()


def test_a_directory_that_is_made_may_be_entered_by_all(place):
    served = MungeSocket(str(place / "run" / "munge" / "socket"), KEY)
    served.close()
    assert stat.S_IMODE((place / "run" / "munge").stat().st_mode) == 0o755


def test_where_another_serves_we_take_over_when_it_ends(served):
    service = MungeService(served.path, KEY, standby_s=0.05)
    service.start()
    assert service.socket is None
    served.close()
    wait_for(lambda: service.socket is not None)
    assert answers(served.path)
    service.close()


def test_a_path_that_no_socket_can_have_does_not_keep_the_controller_from_starting(place):
    service = MungeService(str(place / ("x" * 120)), KEY)
    service.start()
    assert service.socket is None
    service.close()


@needs_munge
def test_the_log_says_whether_the_munged_that_runs_has_our_key(munged):
    for key, said in ((KEY, "it has the same key"), (MungeKey(bytes(128)), "another key")):
        with structlog.testing.capture_logs() as logged:
            service = MungeService(munged, key)
            service.start()
            service.close()
        assert [said in line["event"] for line in logged] == [True], logged
