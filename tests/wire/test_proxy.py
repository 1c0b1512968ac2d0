"""`flurm wire proxy` between Slurm's own clients and a controller, and between anybody and anything else."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flurm.client.recordings import messages
from flurm.config import load, render_slurm_conf
from tests.application.controllers import running
from tests.protocol.wire_data import recorded_frames

TIMEOUT_S = 30
FLURM = [sys.executable, "-m", "flurm.cli.main"]


class Relay:
    """A running `flurm wire proxy`."""

    def __init__(self, target: int, out: Path) -> None:
        words = [*FLURM, "wire", "proxy", "--listen", "127.0.0.1:0", "--to", f"127.0.0.1:{target}", "--out", str(out)]
        self.out = out
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        first = self.process.stdout.readline()
        self.port = int(first.split()[2].rstrip(",").rpartition(":")[2])

    def stop(self, how: signal.Signals) -> str:
        self.process.send_signal(how)
        printed = self.process.communicate(timeout=TIMEOUT_S)[0]
        assert self.process.returncode == 0
        return printed


@contextlib.contextmanager
def relay(target: int, out: Path) -> Iterator[Relay]:
    one = Relay(target, out)
    try:
        yield one
    finally:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def check(out: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*FLURM, "wire", "check", str(out)], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )


@contextlib.contextmanager
def munged(directory: Path) -> Iterator[tuple[Path, Path]]:
    """Key and socket of a munged of our own."""
    directory.mkdir(mode=0o755)
    key, sock = directory / "munge.key", directory / "socket"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    files = {"key-file": key, "socket": sock, "pid-file": directory / "pid", "log-file": directory / "log",
             "seed-file": directory / "seed"}  # fmt: skip
    words = ["munged", "--foreground", "--force", *(f"--{name}={path}" for name, path in files.items())]
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    try:
        deadline_s = time.monotonic() + TIMEOUT_S
        while not sock.exists():
            assert process.poll() is None and time.monotonic() < deadline_s, "munged did not come up"
            time.sleep(0.01)
        yield key, sock
    finally:
        process.terminate()
        process.wait()


@pytest.mark.slurm
@pytest.mark.skipif(not all(map(shutil.which, ("squeue", "munged"))), reason="slurm-client and munge are not installed")
def test_slurms_own_clients_notice_nothing_and_every_message_is_recorded_exactly(tmp_path):
    with munged(tmp_path / "munge") as (key, sock), running(tmp_path, munge_key=str(key), munge_socket=str(sock)):
        config = load(tmp_path / "flurm.toml")
        with relay(config.slurmctld_port, tmp_path / "out") as proxy:
            text = render_slurm_conf(config, for_client=True)
            conf = tmp_path / "slurm.conf"
            conf.write_text(text.replace(f"SlurmctldPort={config.slurmctld_port}", f"SlurmctldPort={proxy.port}"))
            environment = {**os.environ, "SLURM_CONF": str(conf)}

            def client(*words: str) -> str:
                return subprocess.run(
                    words, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=True, cwd=tmp_path
                ).stdout

            job = client("sbatch", "--parsable", "--hold", "--wrap", "true").strip()
            assert client("squeue", "-h", "-o", "%i %t").split() == [job, "PD"]
            printed = proxy.stop(signal.SIGTERM)
    assert "-> REQUEST_SUBMIT_BATCH_JOB" in printed
    names = [item.name for item in messages(tmp_path / "out" / "frames.bin")]
    assert "RESPONSE_SUBMIT_BATCH_JOB" in names and "RESPONSE_JOB_INFO" in names
    done = check(tmp_path / "out")
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == f"frames {len(names)} exact {len(names)}"


class Server:
    """Answers the n-th connection with the n-th of `replies`, whatever it says, once it said `expected` bytes."""

    def __init__(self, *exchanges: tuple[int, bytes]) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, args=(exchanges,), daemon=True)
        self.thread.start()

    def _serve(self, exchanges: tuple[tuple[int, bytes], ...]) -> None:
        for expected, reply in exchanges:
            with self.socket.accept()[0] as connection:
                read_exactly(connection, expected)
                connection.sendall(reply)

    def close(self) -> None:
        self.thread.join(TIMEOUT_S)
        self.socket.close()


def read_exactly(connection: socket.socket, size: int) -> bytes:
    connection.settimeout(TIMEOUT_S)
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        assert more, "closed too early"
        data += more
    return data


def prefixed(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def ask(port: int, request: bytes, size: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(request)
        return read_exactly(connection, size)


def test_an_exchange_that_is_no_slurm_passes_too_and_is_kept_as_a_stream(tmp_path):
    frame = prefixed(recorded_frames("24.11")[0])
    server = Server((len(frame), frame), (18, b"HTTP/1.1 405 No\r\n\r\n"))
    with relay(server.port, tmp_path / "out") as proxy:
        assert ask(proxy.port, frame, len(frame)) == frame
        assert ask(proxy.port, b"GET / HTTP/1.1\r\n\r\n", 19) == b"HTTP/1.1 405 No\r\n\r\n"
        server.close()
        proxy.stop(signal.SIGINT)
    kinds = [item.kind for item in messages(tmp_path / "out" / "frames.bin")]
    assert kinds == ["rpc", "rpc", "stream", "stream"]
    done = check(tmp_path / "out")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "frames 2 exact 2 raw 2")


def test_a_message_that_was_cut_off_by_the_end_is_kept(tmp_path):
    frame = prefixed(recorded_frames("24.11")[0])
    server = Server((20, b""))
    with relay(server.port, tmp_path / "out") as proxy:
        with socket.create_connection(("127.0.0.1", proxy.port)) as connection:
            connection.sendall(frame[:20])
            server.close()
            assert connection.recv(1) == b""
        proxy.stop(signal.SIGTERM)
    assert [(item.kind, item.data) for item in messages(tmp_path / "out" / "frames.bin")] == [("stream", frame[:20])]


def test_a_recording_is_not_written_over_another(tmp_path):
    (tmp_path / "frames.bin").write_bytes(b"")
    words = [*FLURM, "wire", "proxy", "--listen", "127.0.0.1:0", "--to", "127.0.0.1:1", "--out", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 1 and "holds a recording already" in done.stderr


def test_a_server_that_is_away_is_said_and_the_client_is_let_go(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    with relay(port, tmp_path / "out") as proxy:
        with socket.create_connection(("127.0.0.1", proxy.port)) as connection:
            connection.settimeout(TIMEOUT_S)
            assert connection.recv(1) == b""
        assert f"#1 cannot reach 127.0.0.1:{port}" in proxy.stop(signal.SIGTERM)
    assert json.loads((tmp_path / "out" / "meta.json").read_text())["frames"] == []
