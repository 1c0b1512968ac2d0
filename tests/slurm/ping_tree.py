"""Pings a node daemon and, through it, further nodes: prints who answered with which message, as JSON.

Run inside a sandbox: ping_tree.py MUNGE_KEY PORT NODES WIDTH
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from actors.net import rpc
from protocol.auth import Signer
from protocol.auth.munge import MungeKey
from protocol.constants import MessageType
from protocol.exchange import make_request
from protocol.frame import Forward
from protocol.hostlist import count
from protocol.versions import Version


def main(key: str, port: str, nodes: str, width: str) -> None:
    """Send one request in the version of 22.05 and print its answers by node; the one asked has no name."""
    signer = Signer(MungeKey(Path(key).read_bytes()), os.getuid(), os.getgid())
    forward = Forward(nodes, timeout_ms=10_000, tree_width=int(width), count=count(nodes))
    request = make_request(MessageType.REQUEST_PING, None, Version.V22_05, signer, time.time(), forward=forward)
    answer = rpc.send(("127.0.0.1", int(port)), request, timeout_s=15)
    print(json.dumps({"": answer.msg_type} | {str(item.node_name): item.msg_type for item in answer.frame.ret_list}))


if __name__ == "__main__":
    main(*sys.argv[1:])
