"""Three controllers in this process, each at its own loopback address, and clients that submit to them all the time."""

from __future__ import annotations

import itertools
import json
import os
import threading
import time
from pathlib import Path

from actors.net import rpc
from flurm import tls
from flurm.application import Application
from flurm.config import load
from protocol.auth import MungeKey, Signer
from tests.application.controllers import free_ports, until
from tests.faults.daemons import Client, Refused

NAMES = ("c1", "c2", "c3")
KEY = b"three controllers share this key" * 2


class Three:
    """The cluster; a context manager. `settings` are keys of [flurm]."""

    def __init__(self, place: Path, **settings: object) -> None:
        self.hosts = {name: f"127.0.0.{number}" for number, name in enumerate(NAMES, start=1)}
        self.port, raft_port, http_port = free_ports(3)
        authority = place / "ca"
        tls.write(authority, tls.Bundle.of_authority(tls.new_authority("three", now_s=time.time(), days=10)))
        key = place / "munge.key"
        key.write_bytes(KEY)
        key.chmod(0o600)
        everybody = ", ".join(f'{{ name = "{name}", host = "{host}" }}' for name, host in self.hosts.items())
        self.controllers: dict[str, Application] = {}
        for name, host in self.hosts.items():
            issued = tls.issue(tls.read_authority(authority), name, now_s=time.time(), days=9)
            bundle = tls.Bundle.of_controller(tls.read_authority(authority), issued)
            tls.write(place / name / "state" / "tls", bundle)
            keys = {
                "cluster_name": "three",
                "controller_name": name,
                "slurmctld_host": host,
                "slurmctld_port": self.port,
                "raft_port": raft_port,
                "http_port": http_port,
                "munge_key": str(key),
                "state_dir": str(place / name / "state"),
                "log_dir": str(place / name / "log"),
                "spool_dir": str(place / name / "spool"),
                "embedded_node": False,
                **settings,
            }
            path = place / name / "flurm.toml"
            lines = [f"{word} = {json.dumps(value)}" for word, value in keys.items()]
            path.write_text("\n".join(["[flurm]", *lines, f"controllers = [{everybody}]\n"]))
            self.controllers[name] = Application(load(path), path)

    def __enter__(self) -> Three:
        """Start all three at once, and have c1 lead."""
        try:
            starting = [threading.Thread(target=each.start) for each in self.controllers.values()]
            for thread in starting:
                thread.start()
            for thread in starting:
                thread.join(30)
            until(lambda: self.term("c1") >= 0 and self.connected())
            self.controllers["c1"].system.env["members"].take_over()
            until(lambda: {self.leader(name) for name in NAMES} == {"c1"})
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        stopping = [threading.Thread(target=each.stop) for each in self.controllers.values()]
        for thread in stopping:
            thread.start()
        for thread in stopping:
            thread.join(30)

    def restart(self, name: str) -> None:
        """Tell a controller to end, as a signal would, start it again, and wait until it has what the others have."""
        self.controllers[name].request_stop("restart")
        assert self.controllers[name].wait() == "restart"
        self.controllers[name].stop()
        path = self.controllers[name].config_path
        self.controllers[name] = Application(load(path), path)
        self.controllers[name].start()
        until(lambda: self.connected() and self.leader(name))
        applied = self.applied(self.leader(name))
        until(lambda: self.applied(name) >= applied)

    def applied(self, name: str) -> int:
        """The last entry that a controller has applied."""
        return self.controllers[name].system.terms["cluster_index"]

    def connected(self) -> bool:
        """Whether every controller has every other on the wire."""
        peers = [each.peering.peers.status() for each in self.controllers.values()]
        return all(len(found) == 2 and all(lane.connected for peer in found.values() for lane in peer.lanes.values())
                   for found in peers)  # fmt: skip

    def leader(self, name: str) -> str | None:
        """Who leads in the eyes of a controller."""
        return self.controllers[name].system.terms["leader"]

    def term(self, name: str) -> int:
        """Its term."""
        return self.controllers[name].system.env["members"].status().term

    def client(self, name: str, timeout_s: float = 20.0) -> Client:
        """A client that talks to one controller."""
        return Client((self.hosts[name], self.port), Signer(MungeKey(KEY), os.getuid(), os.getgid()))


class Submitters:
    """Threads that submit held jobs one after the other, at the first of `names` that takes the connection."""

    def __init__(self, cluster: Three, names: tuple[str, ...], count: int = 4) -> None:
        self._clients = [cluster.client(name) for name in names]
        self.acknowledged: list[tuple[float, int]] = []
        self.failed: list[str] = []
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._submit) for _ in range(count)]

    def __enter__(self) -> Submitters:
        for thread in self._threads:
            thread.start()
        until(lambda: len(self.acknowledged) > 20)
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(30)

    def _submit(self) -> None:
        while not self._end.is_set():
            try:
                self.acknowledged.append((time.monotonic(), self._one()))
            except (rpc.Unreachable, Refused) as error:
                self.failed.append(str(error))

    def _one(self) -> int:
        for client in self._clients:
            try:
                return client.submit("true", priority=0)
            except rpc.Unreachable as error:
                if not isinstance(error.__cause__, ConnectionRefusedError):
                    raise
        raise rpc.Unreachable("every controller refuses the connection")

    def longest_gap_ms(self) -> float:
        """The longest time without an acknowledgement."""
        moments = sorted(moment for moment, _ in self.acknowledged)
        return 1000 * max(later - earlier for earlier, later in itertools.pairwise(moments))
