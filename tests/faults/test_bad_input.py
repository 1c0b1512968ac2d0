"""What peers do wrong: an error in Slurm's terms or a closed connection, counted, logged, and nobody else notices."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time
from random import Random

import msgspec
import pytest

from protocol.auth import MungeKey, Signer
from protocol.codec import decode_body, encode_body
from protocol.constants import AUTH_PLUGIN_JWT, AUTH_PLUGIN_NONE, HeaderFlag, MessageType
from protocol.errno import Errno
from protocol.exchange import make_request
from protocol.frame import AuthSection, Frame, FrameReader, decode_frame, encode_frame
from protocol.versions import NEWEST, Version
from tests.faults.daemons import Client, Daemons, Refused, description

LIMIT = 100_000
TIMEOUT_S = 2
MOST = 600
VERSIONS = tuple(Version)
PING = MessageType.REQUEST_PING
AUTHENTICATION = Errno.SLURM_PROTOCOL_AUTHENTICATION_ERROR


@pytest.fixture(scope="module")
def cluster():
    with Daemons(max_message_size=LIMIT, connection_timeout=TIMEOUT_S) as cluster:
        yield cluster


@pytest.fixture
def crowded():
    with Daemons(max_connections=MOST) as cluster:
        cluster.await_node()
        yield cluster


@pytest.fixture
def unaffected(cluster):
    """Somebody whose request is half sent while others misbehave; it is served, and the controller's tree is whole."""
    request = ping(cluster)
    with connect(cluster) as bystander:
        bystander.sendall(request[:20])
        before = restarts(cluster)
        yield
        bystander.sendall(request[20:])
        assert code_in(bystander) == 0
        assert restarts(cluster) == before


class Figures:
    """Counts of refused requests and dropped connections, and what the log has gained, since it was made."""

    def __init__(self, cluster: Daemons) -> None:
        self._cluster = cluster
        self._offset = cluster.log.stat().st_size
        self._before = self._read()

    def _read(self) -> dict[str, float]:
        wanted = ("flurm_protocol_refused_total{", "flurm_connections_dropped_total{")
        lines = [line for line in self._cluster.fetch("/metrics").splitlines() if line.startswith(wanted)]
        return {line.split('"')[1]: float(line.split()[-1]) for line in lines}

    def gained(self) -> dict[str, int]:
        """Kind -> how many more there are now."""
        now = self._read()
        return {
            kind: int(count - self._before.get(kind, 0))
            for kind, count in now.items()
            if count > self._before.get(kind, 0)
        }

    def expect(self, **counts: int) -> None:
        """Wait until exactly this has been counted, then find it in the log."""
        self._cluster.await_that(f"{counts} counted", lambda: self.gained() == counts, 10)
        logged = self._cluster.log.read_text()[self._offset :]
        lines = [line for line in logged.splitlines() if '"level": "warning"' in line]
        assert len(lines) == sum(counts.values()), logged
        assert "Traceback" not in logged


@pytest.fixture
def figures(cluster, unaffected):
    return Figures(cluster)


def connect(cluster: Daemons) -> socket.socket:
    return socket.create_connection(cluster.address, timeout=10)


def ping(cluster: Daemons, version: int = Version.V24_11) -> bytes:
    return make_request(PING, None, version, cluster.signer, time.time())


def code_in(connection: socket.socket) -> int | None:
    """The error number in the answer, None where the connection is closed instead."""
    reader = FrameReader()
    while (data := reader.next_frame()) is None:
        try:
            received = connection.recv(65536)
        except ConnectionResetError:
            return None
        if not received:
            return None
        reader.feed(received)
    frame = decode_frame(data)
    assert frame.msg_type == MessageType.RESPONSE_SLURM_RC
    return decode_body(frame.msg_type, frame.body, frame.version).return_code


def send(cluster: Daemons, data: bytes) -> int | None:
    """Send bytes; what they are answered with."""
    with connect(cluster) as connection:
        connection.sendall(data)
        return code_in(connection)


def send_only(cluster: Daemons, data: bytes) -> None:
    """Send bytes and wait for the connection's end, whatever comes before."""
    with connect(cluster) as connection, contextlib.suppress(ConnectionResetError):
        connection.sendall(data)
        while connection.recv(65536):
            pass


def restarts(cluster: Daemons) -> dict[str, float]:
    lines = [line for line in cluster.fetch("/metrics").splitlines() if line.startswith("flurm_process_restarts_total")]
    return {line.split('"')[1]: float(line.split()[-1]) for line in lines}


def frame_with(cluster: Daemons, auth: AuthSection | None, body: bytes = b"", msg_type: int = PING) -> bytes:
    flags = 0 if auth is not None else int(HeaderFlag.NO_AUTH_CRED)
    return encode_frame(Frame(msg_type, Version.V24_11, flags, body, auth))


def signed(cluster: Daemons, age_s: float = 0, msg_type: int = PING, body: bytes = b"") -> AuthSection:
    return cluster.signer.auth_section(msg_type, body, time.time() - age_s)


def test_a_request_that_ends_early(cluster, figures):
    with connect(cluster) as connection:
        connection.sendall(ping(cluster)[:-3])
    figures.expect(truncated=1)


def test_a_connection_that_ends_without_a_byte_is_no_fault(cluster, figures):
    connect(cluster).close()
    cluster.client.ping()
    figures.expect()


def test_a_length_beyond_the_limit(cluster, figures):
    assert send(cluster, struct.pack(">I", LIMIT + 1)) is None
    figures.expect(oversized=1)


def test_a_request_just_below_the_limit_is_served(cluster, figures):
    script = "#" * (LIMIT - 4000)
    assert cluster.client.submit(script, priority=0)
    with pytest.raises(Exception, match=r"closed|reset|Broken"):
        cluster.client.submit(script + "#" * 5000, priority=0)
    figures.expect(oversized=1)


@pytest.mark.parametrize(
    "garbage", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"\xff" * 300]
)
def test_another_protocol(cluster, figures, garbage):
    assert send(cluster, garbage) is None
    figures.expect(oversized=1)


@pytest.mark.parametrize("size", [0, 1, 16, 200])
def test_a_frame_of_random_bytes(cluster, figures, size):
    assert send(cluster, struct.pack(">I", size) + os.urandom(size)) is None
    figures.expect(undecodable=1)


def test_a_peer_that_sends_a_byte_and_waits(cluster):
    figures = Figures(cluster)
    with connect(cluster) as connection:
        connection.sendall(b"\0")
        began_s = time.monotonic()
        assert connection.recv(1) == b""
        assert time.monotonic() - began_s > TIMEOUT_S - 1
    figures.expect(timed_out=1)
    cluster.client.ping()


@pytest.mark.parametrize("age_s", [3700, 301])
def test_an_expired_credential(cluster, figures, age_s):
    assert send(cluster, frame_with(cluster, signed(cluster, age_s))) == AUTHENTICATION
    figures.expect(ExpiredCredential=1)


def test_a_credential_from_the_future(cluster, figures):
    assert send(cluster, frame_with(cluster, signed(cluster, -400))) == AUTHENTICATION
    figures.expect(RewoundCredential=1)


def test_a_credential_of_another_key(cluster, figures):
    stranger = Signer(MungeKey(os.urandom(64)), os.getuid(), os.getgid())
    assert send(cluster, frame_with(cluster, stranger.auth_section(PING, b"", time.time()))) == AUTHENTICATION
    figures.expect(ForgedCredential=1)


def test_a_forged_credential(cluster, figures):
    auth = signed(cluster)
    middle = len(auth.token) // 2
    auth.token = auth.token[:middle] + ("A" if auth.token[middle] != "A" else "B") + auth.token[middle + 1 :]
    assert send(cluster, frame_with(cluster, auth)) == AUTHENTICATION
    figures.expect(ForgedCredential=1)


def test_a_credential_that_is_no_credential(cluster, figures):
    assert send(cluster, frame_with(cluster, AuthSection(token="MUNGE:no credential:"))) == AUTHENTICATION
    figures.expect(MalformedCredential=1)


def test_a_replayed_request(cluster, figures):
    request = ping(cluster)
    assert [send(cluster, request), send(cluster, request)] == [0, AUTHENTICATION]
    figures.expect(ReplayedCredential=1)


def test_a_replayed_submission_is_one_job(cluster, figures):
    body = description("true", name="once", priority=0)
    request = make_request(MessageType.REQUEST_SUBMIT_BATCH_JOB, body, Version.V24_11, cluster.signer, time.time())
    with connect(cluster) as first:
        first.sendall(request)
        assert first.recv(65536)
    assert send(cluster, request) == AUTHENTICATION
    assert [job.name for job in cluster.client.jobs().values()].count("once") == 1
    figures.expect(ReplayedCredential=1)


def test_a_body_that_does_not_match_its_hash(cluster, figures):
    submit = MessageType.REQUEST_SUBMIT_BATCH_JOB
    honest = encode_body(submit, description("true", name="honest"), Version.V24_11)
    forged = encode_body(submit, description("true", name="forged"), Version.V24_11)
    auth = signed(cluster, msg_type=submit, body=honest)
    assert send(cluster, frame_with(cluster, auth, forged, submit)) == AUTHENTICATION
    assert "forged" not in [job.name for job in cluster.client.jobs().values()]
    figures.expect(BodyMismatch=1)


def test_a_credential_for_another_message(cluster, figures):
    auth = signed(cluster, msg_type=PING)
    assert send(cluster, frame_with(cluster, auth, b"", MessageType.REQUEST_RECONFIGURE)) == AUTHENTICATION
    figures.expect(BodyMismatch=1)


def test_no_credential_at_all(cluster, figures):
    assert send(cluster, frame_with(cluster, None)) == AUTHENTICATION
    figures.expect(NoCredential=1)


@pytest.mark.parametrize(
    "auth", [AuthSection(AUTH_PLUGIN_NONE, uid=0, gid=0), AuthSection(AUTH_PLUGIN_JWT, "a.b.c", user_name="root")]
)
def test_a_credential_of_a_plugin_that_is_not_configured(cluster, figures, auth):
    assert send(cluster, frame_with(cluster, auth)) == AUTHENTICATION
    figures.expect(UnsupportedPlugin=1)


@pytest.mark.parametrize("version", [NEWEST + 0x100, 0x1000, 0xFFFF])
def test_an_unknown_version(cluster, figures, version):
    request = bytearray(ping(cluster))
    struct.pack_into(">H", request, 4, version)
    assert send(cluster, bytes(request)) is None
    figures.expect(undecodable=1)


@pytest.mark.parametrize("msg_type", [65000, 0, MessageType.REQUEST_PERSIST_INIT])
def test_an_unknown_message(cluster, figures, msg_type):
    auth = signed(cluster, msg_type=msg_type)
    assert send(cluster, frame_with(cluster, auth, b"", msg_type)) in (None, 22)
    assert sum(figures.gained().values()) == 1


def test_a_message_that_only_other_daemons_serve(cluster, figures):
    with pytest.raises(Refused) as refused:
        cluster.client.ask(MessageType.REQUEST_HEALTH_CHECK)
    assert refused.value.code == 22
    figures.expect(not_served=1)


def test_a_body_that_is_cut_short_though_authentic(cluster, figures):
    submit = MessageType.REQUEST_SUBMIT_BATCH_JOB
    body = encode_body(submit, description("true"), Version.V24_11)[:-40]
    assert send(cluster, frame_with(cluster, signed(cluster, msg_type=submit, body=body), body, submit)) is None
    figures.expect(undecodable=1)


def test_an_absurd_count_allocates_nothing(cluster, figures):
    info = MessageType.REQUEST_JOB_INFO
    body = struct.pack(">QHI", 0, 0, 0xFFFFFFF0)
    assert send(cluster, frame_with(cluster, signed(cluster, msg_type=info, body=body), body, info)) is None
    figures.expect(undecodable=1)


def test_frames_with_changed_bytes_crash_nothing(cluster, unaffected):
    """The header is not covered by the credential, so anybody on the way may change it."""
    random = Random(7)
    for _ in range(300):
        frame = bytearray(make_request(PING, None, random.choice(VERSIONS), cluster.signer, time.time()))
        for _ in range(random.randint(1, 3)):
            frame[random.randrange(4, min(len(frame), 40))] = random.randrange(256)
        send_only(cluster, bytes(frame))


def test_another_user_may_not_speak_for_root(cluster, figures):
    nobody = Client(cluster.address, msgspec.structs.replace(cluster.signer, uid=65534, gid=65534))
    with pytest.raises(Refused) as refused:
        nobody.submit("true", user_id=0, group_id=0)
    assert refused.value.code == Errno.ESLURM_USER_ID_MISSING


def test_500_idle_connections_do_not_stop_service_and_beyond_the_limit_the_oldest_go(crowded):
    figures = Figures(crowded)
    with contextlib.ExitStack() as idle:
        connections = [idle.enter_context(connect(crowded)) for _ in range(500)]
        began_s = time.monotonic()
        job_id = crowded.client.submit("true")
        crowded.client.ping()
        assert time.monotonic() - began_s < 2
        crowded.await_end({job_id})
        assert all(is_open(connection) for connection in connections)
        figures.expect()

        connections += [idle.enter_context(connect(crowded)) for _ in range(MOST - 500 + 20)]
        crowded.await_that("20 are displaced", lambda: figures.gained() == {"displaced": 20})
        crowded.client.ping()
        closed = [number for number, connection in enumerate(connections) if not is_open(connection)]
        assert len(closed) == 20
        assert max(closed) < 200, "who came first waited longest, give or take those that were served at the same time"
        assert is_open(connections[-1])


def is_open(connection: socket.socket) -> bool:
    """Whether the other side has not closed; nothing is expected to be read."""
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def test_idle_connections_leave_descriptors_for_everything_else():
    with Daemons(wrap=("prlimit", "--nofile=700:700")) as cluster, contextlib.ExitStack() as idle:
        cluster.await_node()
        figures = Figures(cluster)
        for _ in range(800):
            idle.enter_context(connect(cluster))
        job_id = cluster.client.submit("true # " + "x" * 200_000)
        assert cluster.await_end({job_id})[job_id].exit_code == 0
        assert figures.gained()["displaced"] > 500
        assert "accept failed" not in cluster.log.read_text()


def test_jobs_keep_the_descriptor_limit_that_the_controller_was_started_with():
    with Daemons(wrap=("prlimit", "--nofile=700:5000")) as cluster:
        cluster.await_node()
        shown = cluster.place / "limit"
        job_id = cluster.client.submit(f"ulimit -Sn > {shown}")
        cluster.await_end({job_id})
        assert shown.read_text() == "700\n"
