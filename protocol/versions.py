"""Protocol versions: the number that stands first in every frame names the Slurm release whose layout follows.

There is no negotiation: a client speaks its own release, the server answers in it. FLURM speaks the eight releases
from 22.05 to 26.05. The number is the release's api number times 256. The 20.11 form, which 22.05 daemons still
exchange while they do not know each other, is recognised so that it can be refused with a clear message.
"""

from __future__ import annotations

from enum import IntEnum

__all__ = ["NEWEST", "OLDEST", "Version", "by_name", "is_supported", "name"]


class Version(IntEnum):
    """One release of the wire protocol; compares by age."""

    V22_05 = 0x2600
    V23_02 = 0x2700
    V23_11 = 0x2800
    V24_05 = 0x2900
    V24_11 = 0x2A00
    V25_05 = 0x2B00
    V25_11 = 0x2C00
    V26_05 = 0x2D00


OLDEST = Version.V22_05
NEWEST = Version.V26_05

_NAMES = {int(version): version.name[1:].replace("_", ".") for version in Version}
_NUMBERS = {text: Version(number) for number, text in _NAMES.items()}


def name(version: int) -> str:
    """Name of the release, e.g. "22.05"; hexadecimal for a number that belongs to none of ours."""
    return _NAMES.get(version) or f"0x{version:04x}"


def by_name(text: str) -> Version:
    """Version of a release name such as "24.11". Raises KeyError for any other text."""
    return _NUMBERS[text]


def is_supported(version: int) -> bool:
    """Whether messages in this version can be read and written."""
    return version in _NAMES
