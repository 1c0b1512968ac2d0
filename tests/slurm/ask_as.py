"""Sends a controller each of the named requests, empty, in the name of a user; prints what came back, as JSON.

The numbers in tests/bridge/test_rights.py are what slurmctld 22.05 said to it. Of REQUEST_KILL_JOB without a job that
slurmctld dies: leave it out.

Run inside a sandbox: ask_as.py MUNGE_KEY UID NAME... The answer of each: the number that it carries, else the type of
the answer, else "closed".
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from actors.net import rpc
from protocol.auth import Signer
from protocol.auth.munge import MungeKey
from protocol.codec import body_class, message_name
from protocol.constants import MessageType
from protocol.errors import ProtocolError
from protocol.exchange import make_request
from protocol.versions import Version

PORT = 6817


def main(key: str, uid: str, *names: str) -> None:
    """Ask one after the other, in the version of 22.05."""
    signer = Signer(MungeKey(Path(key).read_bytes()), int(uid), int(uid))
    print(json.dumps({name: ask(signer, MessageType[name]) for name in names}))


def ask(signer: Signer, number: MessageType) -> int | str:
    """What the controller says to the request's emptiest form."""
    kind = body_class(number)
    try:
        request = make_request(number, kind() if kind else None, Version.V22_05, signer, time.time())
        answer = rpc.send(("127.0.0.1", PORT), request, timeout_s=4)
    except (rpc.Unreachable, ProtocolError):  # or there is no such message in 22.05
        return "closed"
    code = getattr(answer.body, "return_code", None)
    if code is None:
        return message_name(answer.msg_type)
    return code - (1 << 32) if code >= 1 << 31 else code


if __name__ == "__main__":
    main(*sys.argv[1:])
