"""A small mutation fuzzer for where atheris is not installed: seeds, changed a little, again and again.

What helps against formats of lengths and counts: single bits and bytes, the values at which such fields break (0, 1,
2^31, 2^32-1) written anywhere, cuts, repetitions, and pieces of other seeds. The same seed gives the same inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

__all__ = ["mutations"]

_EDGES = tuple(
    value.to_bytes(width, "big")
    for width in (2, 4)
    for value in (0, 1, (1 << 8 * width - 1) - 1, 1 << 8 * width - 1, (1 << 8 * width) - 2, (1 << 8 * width) - 1)
)


def mutations(seeds: list[bytes], random: Random) -> Iterator[bytes]:
    """Endless inputs, the first of which are the seeds themselves; every target gets as many as the others."""
    yield from seeds
    targets: dict[int, list[bytes]] = {}
    for seed in seeds:
        targets.setdefault(seed[0], []).append(seed)
    choices = list(targets.values())
    while True:
        data = bytearray(random.choice(random.choice(choices)))
        for _ in range(random.choice((1, 1, 1, 2, 4))):
            random.choice(_WAYS)(data, random, seeds)
        yield bytes(data)


def _flip(data: bytearray, random: Random, _: list[bytes]) -> None:
    if len(data) > 1:
        data[random.randrange(1, len(data))] ^= 1 << random.randrange(8)


def _byte(data: bytearray, random: Random, _: list[bytes]) -> None:
    if len(data) > 1:
        data[random.randrange(1, len(data))] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))


def _edge(data: bytearray, random: Random, _: list[bytes]) -> None:
    value = random.choice(_EDGES)
    if len(data) > len(value):
        start = random.randrange(1, len(data) - len(value) + 1)
        data[start : start + len(value)] = value


def _cut(data: bytearray, random: Random, _: list[bytes]) -> None:
    if len(data) > 2:
        start = random.randrange(1, len(data))
        del data[start : start + random.choice((1, 2, 4, 8, len(data)))]


def _again(data: bytearray, random: Random, _: list[bytes]) -> None:
    if len(data) > 2:
        start = random.randrange(1, len(data))
        data[start:start] = data[start : start + random.randrange(1, 64)]


def _piece(data: bytearray, random: Random, seeds: list[bytes]) -> None:
    other = random.choice(seeds)
    if len(data) > 1 and len(other) > 1:
        start, place = random.randrange(len(other)), random.randrange(1, len(data))
        piece = other[start : start + random.randrange(1, 64)]
        data[place : place + random.choice((0, len(piece)))] = piece


_WAYS: tuple[Callable[[bytearray, Random, list[bytes]], None], ...] = (_flip, _byte, _edge, _edge, _cut, _again, _piece)
