"""How a node gets the cluster's key with a token, and nothing else than the token.

``tokens``  what a token says and how it is proved     ``door``  where a controller hands the key out, over TLS
``asking``  the node's side
"""

from actors.net.joining.asking import JoinFailed, fetch_key
from actors.net.joining.door import JoinDoor
from actors.net.joining.tokens import BadToken, Claims, read

__all__ = ["BadToken", "Claims", "JoinDoor", "JoinFailed", "fetch_key", "read"]
