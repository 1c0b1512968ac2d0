"""A replay cache for many threads: only the look-up is guarded, not the cryptography before it."""

from __future__ import annotations

import threading

from protocol.auth import Credential, ReplayCache


class SharedReplayCache(ReplayCache):
    """Shared by all connection handlers of a daemon."""

    def __init__(self) -> None:
        super().__init__()
        self._guard = threading.Lock()

    def check(self, credential: Credential, now_s: float) -> None:
        """Remember a credential. Raises ReplayedCredential when it was seen before."""
        with self._guard:
            super().check(credential, now_s)
