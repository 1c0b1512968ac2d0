"""How a node gets the cluster's key with a token, and nothing else than the token.

``tokens``  what a token says and how it is proved     ``door``  where a controller hands the key out, over TLS
``asking``  the node's side
"""
