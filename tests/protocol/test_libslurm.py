"""Slurm's own library takes every body that this package writes, to the last byte, in all eight versions.

Which messages its decoder takes is in `data/wire/library.json`: "library" with random records, "library-minimal" with
the record that says nothing. The library refuses values that make no sense to it, so records are drawn until enough
were taken; one that is taken but not to its end, or that no draw is taken of, is a disagreement about the layout.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from protocol import versions
from protocol.codec import decode_body, encode_body
from protocol.constants import MESSAGE_BOUNDS, DbdMessageType, MessageType
from protocol.errors import DecodeError
from protocol.schema import BODIES
from protocol.versions import Version
from tests.protocol.library_values import BelievableBuilder
from tests.protocol.libslurm import Library, library_of, missing

TAKEN = json.loads((Path(__file__).parent.parent / "data/wire/library.json").read_text())
NUMBERS = {number.name: int(number) for enum in (DbdMessageType, MessageType) for number in enum}
WANTED = 15 if os.environ.get("FLURM_THOROUGH") else 1
DRAWS = 20 + 2 * WANTED


def messages(kind: str, version: Version) -> list[tuple[str, int]]:
    """Name and number of the messages that the library takes in a version, and that have a body."""
    found = []
    for name, releases in TAKEN[kind].items():
        number = NUMBERS[name]
        first, last = MESSAGE_BOUNDS.get(number, (Version.V22_05, Version.V26_05))
        if versions.name(version) in releases.split() and first <= version <= last and BODIES.get(number):
            found.append((name, number))
    return found


@pytest.fixture(params=Version, ids=versions.name)
def version(request):
    if reason := missing(library_of(request.param)):
        pytest.skip(reason)
    return request.param


def test_the_library_takes_random_records_to_the_last_byte(version):
    shortened, refused, taken = [], set(), 0
    with Library(library_of(version)) as library:
        for name, number in messages("library", version):
            accepted = 0
            for seed in range(DRAWS):
                body = encode_body(number, BelievableBuilder(seed, version).body(number), version)
                outcome = library.unpack(number, body, version)
                if outcome.code == 0 and not outcome.death:
                    accepted += 1
                    if outcome.consumed != len(body):
                        shortened.append((name, seed, outcome.consumed, len(body)))
                if accepted == WANTED:
                    break
            taken += accepted
            if not accepted:
                refused.add(name)
    assert not shortened
    assert not refused
    assert taken > 220 * WANTED


def test_what_the_library_writes_is_read_here(version):
    """Its own form of a message may differ from ours (it fills in what it derives), its layout may not.

    A dozen answers it writes from the controller's tables, not from what it has read: there its process ends.
    """
    unread, same = {}, 0
    with Library(library_of(version)) as library:
        for name, number in messages("library", version):
            if number in set(DbdMessageType):
                continue
            body = encode_body(number, BelievableBuilder(1, version).body(number), version)
            outcome = library.unpack(number, body, version, again=True)
            if outcome.again:
                try:
                    decode_body(number, outcome.again, version)
                except DecodeError as error:
                    unread[name] = str(error)
                same += outcome.again == body
    assert not unread
    assert same > 100


def test_the_library_takes_the_record_that_says_nothing(version):
    refused = {}
    with Library(library_of(version)) as library:
        for name, number in messages("library-minimal", version):
            record = BelievableBuilder(0, version).nothing(BODIES[number], version)
            body = encode_body(number, record, version)
            outcome = library.unpack(number, body, version)
            if (outcome.code, outcome.consumed) != (0, len(body)):
                refused[name] = (outcome, len(body))
    assert not refused


def test_the_library_says_where_it_stops():
    """The helper is not fooled: a body that is cut short is not taken, one that goes on is not taken whole."""
    if reason := missing("22.05"):
        pytest.skip(reason)
    number, version = MessageType.RESPONSE_SUBMIT_BATCH_JOB, Version.V22_05
    body = encode_body(number, BODIES[number](), version)
    with Library("22.05") as library:
        assert library.unpack(number, body, version) == (0, len(body), "", b"")
        assert library.unpack(number, body[:-1], version).code != 0
        assert library.unpack(number, body + b"\0", version).consumed == len(body)


def test_every_message_in_the_list_is_known_here():
    assert set(TAKEN["library"]) | set(TAKEN["library-minimal"]) <= NUMBERS.keys()
