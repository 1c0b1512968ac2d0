"""Tells a controller that bob is in account proj1 now, as an accounting daemon would.

`python -m tests.slurm.accounting_push KEYFILE RELEASE`: to a controller of 22.05 in an ordinary request, to later ones
on a persistent connection. Prints the return code.
"""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

from protocol import versions
from protocol.auth import MungeKey, Signer
from protocol.codec import decode_body
from protocol.constants import SLURMCTLD_PORT, MessageType
from protocol.dbd_constants import PersistType, UpdateType
from protocol.exchange import make_request
from protocol.frame import FrameReader, decode_frame
from protocol.messages import AccountingUpdate, DbUpdateObject, PersistInit, ReturnCode
from protocol.persist import Event, Form, PersistClient
from protocol.versions import Version
from tests.slurm.accounting_daemon import assoc

BOB = assoc(5, "proj1", user="bob", uid=1002, parent_id=3)
UPDATE = AccountingUpdate([DbUpdateObject(UpdateType.ADD_ASSOC, [BOB])])
NUMBER = MessageType.ACCOUNTING_UPDATE_MSG


def next_event(client: PersistClient, peer: socket.socket) -> Event:
    """What the controller says next."""
    while (event := client.next_event()) is None:
        client.receive_data(peer.recv(1 << 16) or exit("the controller closed the connection"))
    return event


def push(peer: socket.socket, signer: Signer, version: Version) -> ReturnCode:
    """On a persistent connection."""
    client = PersistClient(Form.CONTROLLER, version)
    init = PersistInit(cluster_name="testc", persist_type=PersistType.ACCT_UPDATE, port=6819)
    peer.sendall(client.initiate(init, signer, time.time()))
    next_event(client, peer)
    peer.sendall(client.send(NUMBER, UPDATE))
    return next_event(client, peer).record


def request(peer: socket.socket, signer: Signer, version: Version) -> ReturnCode:
    """In a request of its own."""
    peer.sendall(make_request(NUMBER, UPDATE, version, signer, time.time(), flags=1))
    reader = FrameReader()
    while (data := reader.next_frame()) is None:
        reader.feed(peer.recv(1 << 16) or exit("the controller closed the connection"))
    reply = decode_frame(data)
    return decode_body(reply.msg_type, reply.body, reply.version)


def main(key_file: str, release: str) -> None:
    """Tell the controller on this host."""
    version = versions.by_name(release)
    signer = Signer(MungeKey(Path(key_file).read_bytes()), 0, 0)
    with socket.create_connection(("127.0.0.1", SLURMCTLD_PORT), timeout=10) as peer:
        how = request if version == Version.V22_05 else push
        print(how(peer, signer, version).return_code)


if __name__ == "__main__":
    main(*sys.argv[1:])
