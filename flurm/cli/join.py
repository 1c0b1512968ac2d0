"""What `flurmd --token` does first: get the cluster's key, unless it is here already."""

from __future__ import annotations

import os
from pathlib import Path

from actors.net.joining.asking import JoinFailed, fetch_key
from actors.net.joining.tokens import BadToken, Claims, read

__all__ = ["BadToken", "JoinFailed", "claims_of", "ensure_key"]


def claims_of(token: str) -> tuple[Claims, str]:
    """What the token says that was given, itself or in a file; and the token. Raises BadToken, OSError."""
    text = token if token.count(".") == 2 and token.startswith("eyJ") else Path(token).read_text(errors="replace")
    return read(text), text


def ensure_key(claims: Claims, token: str, path: Path, node: str) -> bool:
    """Have the cluster's key in the file at `path`; whether it was fetched now. Raises JoinFailed, OSError.

    A key that is there stays, so that a node can be restarted long after its token has expired.
    """
    if path.exists():
        return False
    key = fetch_key(claims, token, node)
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    return True
