"""What can go wrong for a command: the request was refused, nobody answered, or this machine is not set up."""

from __future__ import annotations

from protocol.errno import Errno, errno_text

__all__ = ["CommandError", "NotSetUp", "Refused"]


class Refused(Exception):
    """The controller's answer is an error number; also used where there was no answer at all."""

    def __init__(self, number: int, text: str | None = None) -> None:
        self.number = number
        self.message = text
        super().__init__(errno_text(number))

    @property
    def unreachable(self) -> bool:
        """Whether no controller answered."""
        return self.number == Errno.SLURMCTLD_COMMUNICATIONS_CONNECTION_ERROR


class CommandError(Exception):
    """The command ends here: the text goes to stderr as it is, the status is its exit status."""

    def __init__(self, text: str, status: int = 1) -> None:
        super().__init__(text)
        self.status = status


class NotSetUp(Exception):
    """Configuration or key is missing; the text says what to do about it."""
