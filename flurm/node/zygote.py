"""The zygote: a small single-threaded process that forks a step manager per step.

A daemon with threads must not fork, and starting an interpreter takes tens of milliseconds; this process is started
once, imports what a step manager needs and then only forks. A request is one datagram: the name of the step's
directory, and with it the manager's end of a socket pair to the daemon. There is no answer: the daemon sees on its own
end what becomes of the step. The zygote ends with its daemon; the managers that it forked live on.
Standard library only.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import traceback
from pathlib import Path

from flurm.node import stepd

REQUEST_BYTES = 4096


def main() -> int:
    """`python -m flurm.node.zygote SPOOL FD`: serves requests on the socket FD until its other end is closed."""
    spool, requests = Path(sys.argv[1]), socket.socket(fileno=int(sys.argv[2]))
    os.setsid()
    os.chdir("/")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.disable()
    gc.freeze()
    while True:
        name, handles, _, _ = socket.recv_fds(requests, REQUEST_BYTES, 1)
        if not name:
            return 0
        for handle in handles:
            os.set_inheritable(handle, False)
        _fork_manager(spool / name.decode(), handles, requests)


def _fork_manager(directory: Path, handles: list[int], requests: socket.socket) -> None:
    try:
        pid = os.fork()
    except OSError as error:
        print(f"flurm zygote: cannot fork: {error}", file=sys.stderr, flush=True)
        pid = -1
    if pid == 0:
        status = 1
        try:
            requests.close()
            stepd.run(directory, socket.socket(fileno=handles[0]))
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    for handle in handles:
        os.close(handle)


if __name__ == "__main__":
    sys.exit(main())
