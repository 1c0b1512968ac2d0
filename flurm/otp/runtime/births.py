"""Births that wait: nobody is born between two versions of the code.

While an upgrade has the old code's place taken but may yet go back, whoever starts a process (a supervisor whose child
has just crashed, say) waits, and then starts the code that has stayed.
"""

from __future__ import annotations

from typing import Any


class Births:
    """Mixed into System."""

    lock: Any
    _births: Any
    """An event that has happened while processes may be born; another one whenever they had to wait."""

    def new_event(self) -> Any:
        """See System."""
        raise NotImplementedError

    def hold_births(self) -> None:
        """Have whoever starts a process wait from now on."""
        with self.lock:
            if self._births.is_set():
                self._births = self.new_event()

    def allow_births(self) -> None:
        """Let processes be born again."""
        self._births.set()

    @property
    def births_held(self) -> bool:
        """Whether starts wait."""
        return not self._births.is_set()
