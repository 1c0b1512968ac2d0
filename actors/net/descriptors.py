"""File descriptors: how many connections a daemon may hold so that enough are left for everything else it does.

Whoever can connect can use up descriptors, and a process without any can neither write its log nor answer. The soft
limit is raised for the connections that are configured; where the hard limit forbids that, there are fewer of them.
"""

from __future__ import annotations

import resource

RESERVED = 512
"""For the log, blobs, handlers with their epolls and connections, agents, the HTTP server."""


def make_room(connections: int) -> int:
    """Raise the soft limit of open files for so many idle connections; returns how many there may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + RESERVED
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY:
        return connections
    return max(min(connections, soft - RESERVED), min(connections, soft // 4))
