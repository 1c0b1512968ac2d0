"""The other controllers of the cluster: the way to them, and where goes what they send.

Messages of their consensus go to ours; requests of Slurm's clients that they pass on go to the connection handlers,
like those of our own clients; what they ask about the cluster itself goes to `actors.net.members`.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

import structlog

from actors.leadership import leader_of
from actors.net import blob_exchange, configurations, forwarding, members
from actors.net.blob_exchange import BlobExchange
from actors.net.forwarding import ForwardedConnection, Forwarder, RequestIds
from actors.net.listener import Listener
from actors.net.peers import Answer, Peers
from flurm.config import Config, TlsFiles, tls_files
from flurm.console import fleet
from flurm.otp import System
from flurm.raft.events import Received
from flurm.raft.messages import Message
from flurm.raft.records import Configuration

WATCH_S = 0.2
ALONE_S = 1.5

log = structlog.get_logger(__name__)


def files_of(config: Config) -> TlsFiles | None:
    """What this controller proves itself with; None for one that is alone and stays so, having no certificate.

    Raises ConfigError.
    """
    files = tls_files(config)
    if files is None and Path(config.raft_certificate).exists():
        files = TlsFiles(config.raft_ca, config.raft_certificate, config.raft_key)
    return files


class Peering:
    """The peers' wire and what is at our end of it; outlives every process of the tree.

    Raises OSError, CertificateError.
    """

    def __init__(self, config: Config, files: TlsFiles, listener: Listener) -> None:
        self._config = config
        self._listener = listener
        self._system: System | None = None
        self._closed = threading.Event()
        host, _, port = config.members()[config.member_name].rpartition(":")
        self.peers = Peers(
            config.member_name,
            config.cluster_name,
            files,
            host.strip("[]"),
            int(port),
            deliver=self._deliver,
            serve=self._serve,
        )

    def _watch(self) -> None:
        """Send clients elsewhere while this controller reaches no majority: the others may have one, it has not."""
        alone_since_s: float | None = None
        while not self._closed.wait(WATCH_S):
            assert self._system is not None
            if leader_of(self._system.terms) is not None or self._reaches_majority(self._system):
                alone_since_s = None
                self._listener.open()
            elif alone_since_s is None:
                alone_since_s = time.monotonic()
            elif time.monotonic() - alone_since_s > ALONE_S and self._listener.is_open:
                log.warning("no majority of the controllers is within reach: clients are refused")
                self._listener.refuse()

    def _reaches_majority(self, system: System) -> bool:
        members: Configuration = system.terms["members"]
        heard = {self._config.member_name}
        for name, peer in self.peers.status().items():
            if peer.heard_s_ago is not None and peer.heard_s_ago < ALONE_S:
                heard.add(name)
        return all(len(heard & set(each)) * 2 > len(each) for each in (members.voters, members.outgoing) if each)

    def join(self, system: System) -> None:
        """Put the way to the others into the system's environment, and begin to talk to them."""
        self._system = system
        system.env["peers"] = self.peers
        system.env["request_ids"] = RequestIds(self._config.member_name)
        system.env["forwarder"] = Forwarder(
            self._config.member_name, self.peers, system.terms, self._config.message_timeout
        )
        store = system.env["store"]
        system.env["blob_exchange"] = BlobExchange(self._config.member_name, self.peers, store.blobs, system.terms)
        self.peers.start()
        system.terms["members"] = Configuration()

    def watch(self) -> None:
        """Begin to send clients elsewhere while no majority is within reach; once they are served."""
        threading.Thread(target=self._watch, name="flurm-majority", daemon=True).start()

    def close(self) -> None:
        """Hang up."""
        self._closed.set()
        self.peers.close()

    def _deliver(self, sender: str, message: Message) -> None:
        """A message of another member's consensus, from a thread of the peers."""
        assert self._system is not None
        self._system.cast("flurm_consensus", Received(message))

    def _serve(self, sender: str, kind: str, payload: bytes, answer: Answer) -> None:
        """Another controller asks for something, from a thread of the peers: nothing here may take long."""
        assert self._system is not None
        match kind:
            case forwarding.CALL:
                self._listener.pass_on(ForwardedConnection(forwarding.decode(payload), answer, self._system.terms))
            case blob_exchange.CALL:
                self._system.env["blob_exchange"].give(payload, answer)
            case members.CALL:
                self._system.env["members"].serve(payload, answer)
            case configurations.FINGERPRINT_CALL | configurations.RECONFIGURE_CALL:
                self._system.env["configurations"].serve(kind, answer)
            case fleet.CALL:
                self._system.env["fleet"].serve(payload, answer)
            case _:
                log.warning("a controller asks for something unknown", peer=sender, kind=kind)
                answer.fail(f"this controller knows no requests of kind {kind}: is it of an older release?")
