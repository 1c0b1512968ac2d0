"""`make demo` and `make run`: a cluster of this one machine in a directory of its own, and a first job on it.

Everything it needs lies in `.demo/`: state, logs, key, configuration, and the slurm.conf with which Slurm's own clients
reach it. Ports are taken where they are free, so that it runs beside whatever else this machine does. Where Slurm's
own `sbatch` and `squeue` are installed they get a job of theirs.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

DIRECTORY = Path(".demo")
JOB_TIMEOUT_S = 30.0


def main(argv: list[str] | None = None) -> int:
    """Run the demonstration; 0 when the job has printed what it should."""
    parser = argparse.ArgumentParser(prog="demo", description="Start a cluster, run a job on it, show both.")
    parser.add_argument("--stay", action="store_true", help="stay in the foreground until interrupted")
    stay = parser.parse_args(argv).stay
    config = _prepare()
    _flurm(config, "start")
    try:
        slurm_conf = DIRECTORY.resolve() / "slurm.conf"
        slurm_conf.write_text(_flurm(config, "client-config", quiet=True).stdout)
        succeeded = _run_a_job(config)
        _run_with_slurms_own(slurm_conf)
        if stay and succeeded:
            _stay(config, slurm_conf)
    finally:
        _flurm(config, "stop")
    return 0 if succeeded else 1


def _prepare() -> Path:
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    DIRECTORY.mkdir(mode=0o755)
    home = DIRECTORY.resolve()
    ports = _free_ports(4)
    config = home / "flurm.toml"
    config.write_text(
        "[flurm]\n"
        'cluster_name = "demo"\n'
        'slurmctld_host = "127.0.0.1"\n'
        f"slurmctld_port = {ports[0]}\n"
        f"slurmd_port = {ports[1]}\n"
        f"http_port = {ports[2]}\n"
        f"raft_port = {ports[3]}\n"
        f'state_dir = "{home}/state"\n'
        f'log_dir = "{home}/log"\n'
        f'spool_dir = "{home}/spool"\n'
    )
    return config


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def _flurm(config: Path, command: str, *arguments: str, quiet: bool = False) -> subprocess.CompletedProcess[str]:
    shown = " ".join(["flurm", command, *arguments])
    if not quiet:
        print(f"$ {shown}", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "flurm.cli.main", command, *arguments],
        env={**os.environ, "FLURM_CONF": str(config)},
        cwd=DIRECTORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if not quiet or done.returncode:
        sys.stdout.write(done.stdout)
        sys.stderr.write(done.stderr)
        sys.stdout.flush()
    if done.returncode:
        raise SystemExit(f"`{shown}` failed with exit status {done.returncode}; see {DIRECTORY}/log")
    return done


def _run_a_job(config: Path) -> bool:
    _flurm(config, "sinfo")
    submitted = _flurm(config, "sbatch", "--parsable", "--wrap", "echo Hello FLURM")
    job_id = submitted.stdout.strip()
    _flurm(config, "squeue")
    _await_completion(job_id, lambda: _flurm(config, "squeue", *_STATE_OF, job_id, quiet=True).stdout)
    printed = _show_output(job_id)
    _flurm(config, "squeue", "-t", "all")
    if printed != "Hello FLURM\n":
        print(f"the job did not print what it should; see {DIRECTORY}/log", file=sys.stderr)
        return False
    return True


_STATE_OF = ("-h", "-t", "all", "-o", "%T", "-j")


def _run_with_slurms_own(slurm_conf: Path) -> None:
    """A job by Slurm's own clients, where there are some; they get their credentials from FLURM's MUNGE socket.

    That they fail is no failure of the demonstration: they need more of a machine than FLURM does (a network, say).
    """
    if not (shutil.which("sbatch") and shutil.which("squeue")):
        return
    print(f"\nSlurm's own clients:\n$ export SLURM_CONF={slurm_conf}")

    def client(*words: str, quiet: bool = False) -> str:
        if not quiet:
            print(f"$ {shlex.join(words)}", flush=True)
        environment = {**os.environ, "SLURM_CONF": str(slurm_conf)}
        bounded = ("timeout", f"{JOB_TIMEOUT_S:g}", *words)
        done = subprocess.run(bounded, env=environment, cwd=DIRECTORY, capture_output=True, text=True, check=False)
        if not quiet or done.returncode:
            print(done.stdout, done.stderr, sep="", end="", flush=True)
        return done.stdout

    job_id = client("sbatch", "--parsable", "--wrap", "echo Hello Slurm").strip()
    if job_id:
        client("squeue")
        _await_completion(job_id, lambda: client("squeue", *_STATE_OF, job_id, quiet=True))
        _show_output(job_id)


def _await_completion(job_id: str, state: Callable[[], str]) -> None:
    """Wait until the job has completed, at most JOB_TIMEOUT_S."""
    deadline_s = time.monotonic() + JOB_TIMEOUT_S
    while time.monotonic() < deadline_s and state().strip() != "COMPLETED":
        time.sleep(0.05)


def _show_output(job_id: str) -> str:
    output = DIRECTORY / f"slurm-{job_id}.out"
    print(f"$ cat {output.name}")
    text = output.read_text() if output.exists() else ""
    print(text, end="", flush=True)
    return text


def _stay(config: Path, slurm_conf: Path) -> None:
    print(f"\nFLURM goes on. In another terminal:\n  export FLURM_CONF={config}")
    print(f"  {Path(sys.executable).with_name('flurm')} tree")
    print(f"or, with Slurm's own clients:\n  export SLURM_CONF={slurm_conf}\n  sbatch --wrap hostname; squeue")
    print("Ctrl-C stops it.", flush=True)
    ends = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    signal.sigwait(ends)


if __name__ == "__main__":
    sys.exit(main())
