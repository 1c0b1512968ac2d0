"""Sets of nodes and of cores as whole numbers: bit i is the member with index i."""


def bits_of(mask: int) -> list[int]:
    """Positions of the set bits, lowest first."""
    found = []
    while mask:
        low = mask & -mask
        found.append(low.bit_length() - 1)
        mask ^= low
    return found
