"""How controllers of one cluster talk: msgpack frames over mutual TLS 1.3, in three lanes that do not delay each other.

``frames``      what travels                               ``outbox``      what waits to be sent, within bounds
``identity``    certificates: who is who                   ``connection``  one connection and its thread
``link``        the way to another, kept open              ``door``        the way in for members, and only for them
``calls``       requests and answers                       ``wire``        limits and settings of the lanes
``complaints``  what is told once a minute                 ``peers``       all of it together
"""

from actors.net.peers.calls import Answer, PeerError, PeerGone, PeerRefused, PeerTimeout
from actors.net.peers.frames import FrameError, Lane
from actors.net.peers.peers import LaneStatus, Peers, PeerStatus

__all__ = [
    "Answer",
    "FrameError",
    "Lane",
    "LaneStatus",
    "PeerError",
    "PeerGone",
    "PeerRefused",
    "PeerStatus",
    "PeerTimeout",
    "Peers",
]
