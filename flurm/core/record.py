"""What every record of a cluster is: an immutable value."""

from typing import TypeVar

import msgspec

R = TypeVar("R", bound="Record")

UNLIMITED = 0xFFFFFFFF
"""A time limit or count without end."""


class Record(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Base of all records: compared by value, changed by `with_`.

    They refer to nothing that refers back, so the cycle collector need not look at them: where there are a hundred
    thousand jobs, it would hold everything up for longer than a heartbeat.
    """

    def with_(self: R, **changes: object) -> R:
        """Return a copy with some fields changed."""
        return msgspec.structs.replace(self, **changes)
