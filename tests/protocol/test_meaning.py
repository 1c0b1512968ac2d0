"""Enums, flags and units of fields: they fit the fields, and they know what was recorded."""

from __future__ import annotations

import pytest

from protocol import constants, field_constants, versions
from protocol.codec import decode_body
from protocol.compiler import resolve
from protocol.constants import COMPOSED, HealthCheckState, JobState, KillFlag, LogFormat, MailFlag, SpecialStep, Tres
from protocol.errno import Errno
from protocol.frame import decode_frame
from protocol.meaning import full_name, is_known, names_of, scalar_text
from protocol.schema import (
    BODIES,
    EXPRESSION_NAMES,
    Field,
    If,
    Record,
    Scalar,
    Switch,
    double,
    epoch,
    u8,
    u16,
    u32,
    u64,
)
from protocol.versions import Version
from tests.protocol.wire_data import DATA, RECORDED_VERSIONS, recorded_frames, recorded_messages

OPEN = {SpecialStep, Errno, Tres}
"""Enums that name special values among ordinary ones: numbers of steps, errno of the system, resources of a site."""
ZERO_IS_UNSET = {
    "open_mode", "details_open_mode", "cpu_freq_min", "cpu_freq_max", "task_dist", "trigger_array_res_type",
    "start_protocol_ver",
}  # fmt: skip
UNNAMED = {
    ("KillJobs", "state"): 12,  # one more than the last state: jobs in any
    ("JobInfo", "bitflags"): 0x80,  # no release names this bit
    ("DbArchiveCond", "purge_event"): 0xFFFF,  # a number stands below the flags
}
"""Values and bits that were recorded and have no name."""


def every_field() -> list[tuple[type[Record], Field]]:
    found: dict[tuple[type[Record], int], tuple[type[Record], Field]] = {}
    seen: set[type[Record]] = set()

    def walk(record: type[Record], entries: tuple) -> None:
        for entry in entries:
            match entry:
                case Field(type=of):
                    found[record, id(entry)] = (record, entry)
                    for inner in (getattr(of, "record", None), getattr(getattr(of, "of", None), "record", None)):
                        if inner is not None and inner not in seen:
                            seen.add(inner)
                            walk(inner, inner.WIRE)
                case If(_, then, otherwise):
                    walk(record, then + otherwise)
                case Switch(_, cases):
                    for _, then in cases:
                        walk(record, then)

    for body in BODIES.values():
        if body is not None and body not in seen:
            seen.add(body)
            walk(body, body.WIRE)
    return list(found.values())


def scalar_of(field: Field) -> Scalar | None:
    inner = getattr(field.type, "of", None)
    return field.type if isinstance(field.type, Scalar) else inner if isinstance(inner, Scalar) else None


def test_the_members_of_an_enum_fit_the_field_that_takes_them():
    fields = [(record, field) for record, field in every_field() if field.means is not None]
    assert len(fields) > 200
    widest: dict[tuple[type[Record], str], int] = {}
    for record, field in fields:
        of = scalar_of(field)
        assert of is not None and of not in (double, epoch), f"{record.__name__}.{field.name} takes no number"
        widest[record, field.name] = max(widest.get((record, field.name), 0), of.width)
    for record, field in fields:
        biggest = max(member.value for member in field.means)
        assert biggest < 1 << 8 * widest[record, field.name], f"{record.__name__}.{field.name}: {field.means.__name__}"


def test_only_numbers_have_units():
    for record, field in every_field():
        assert not field.unit or scalar_of(field) not in (None, epoch), f"{record.__name__}.{field.name}"


def recorded_values(version: str):
    """(record, field, value) of every number with a meaning in the recorded frames."""

    def walk(record: Record, number: int):
        values = {name: getattr(record, name) for name in record.__struct_fields__}
        yield from block(record, resolve(type(record), number), values, number)

    def block(record, entries, values, number):
        for entry in entries:
            match entry:
                case Field(name):
                    several = values[name] if isinstance(values[name], list) else [values[name]]
                    for one in several:
                        if isinstance(one, Record):
                            yield from walk(one, number)
                        elif entry.means is not None:
                            yield record, entry, one
                case If(condition, then, otherwise):
                    holds = eval(condition, dict(EXPRESSION_NAMES), values)
                    yield from block(record, then if holds else otherwise, values, number)
                case Switch(field, cases):
                    for numbers, then in cases:
                        if values[field] in numbers:
                            yield from block(record, then, values, number)

    release = versions.by_name(version)
    frames = [decode_frame(data) for data in recorded_frames(version)]
    bodies = [(frame.msg_type, frame.body) for frame in frames]
    bodies += recorded_messages(version) if (DATA / f"dbd-{version}.bin").exists() else []
    for number, data in bodies:
        body = decode_body(number, data, release, trailing=True)
        if body is not None:
            yield from walk(body, release)


@pytest.mark.parametrize("version", RECORDED_VERSIONS)
def test_recorded_values_have_names(version):
    unknown = set()
    count = 0
    for record, field, value in recorded_values(version):
        count += 1
        if field.means in OPEN or (value == 0 and field.name in ZERO_IS_UNSET):
            continue
        place = (type(record).__name__, field.name)
        allowed = UNNAMED.get(place, 0)
        if not is_known(field.means, value, scalar_of(field).width) and names_of(field.means, value)[1] & ~allowed:
            unknown.add((*place, value))
    assert count > 500 and not unknown


def test_a_composed_number_has_the_names_of_both_its_parts():
    assert names_of(JobState, 0x8001) == (["RUNNING", "COMPLETING"], 0)
    assert names_of(JobState, 0x80000001) == (["RUNNING"], 0x80000000)
    assert names_of(LogFormat, 0x8000) == (["ISO8601_MS", "FORMAT_STDERR"], 0)
    for enum, (flags, base) in COMPOSED.items():
        assert max(enum) <= base and not any(flag.value & base for flag in flags)


def test_bits_without_a_name_are_kept_beside_those_that_have_one():
    assert full_name(MailFlag, 0x8001) == "JOB_BEGIN|0x8000"
    assert full_name(HealthCheckState, 0xFF) == "ANY" and full_name(HealthCheckState, 3) == "IDLE|ALLOC"
    assert full_name(KillFlag, 0) == "" and full_name(JobState, 0) == "PENDING"


@pytest.mark.parametrize(
    ("value", "of", "unit", "text"),
    [
        (60, u32, "min", "60 min"),
        (0xFFFFFFFF, u32, "min", "INFINITE (0xffffffff)"),
        (0xFFFE, u16, "s", "NO_VAL16 (0xfffe)"),
        (0xFE, u8, "", "NO_VAL8 (0xfe)"),
        (0xFFFE, u32, "", "65534"),
        ((1 << 63) + 512, u64, "MiB", "512 MiB per CPU"),
        (0x80000000 - 5, u32, "over NICE_OFFSET", "-5 (0x7ffffffb)"),
        (0, epoch, "", "0"),
        (1795346621, epoch, "", "2026-11-22T11:23:41Z (1795346621)"),
        (0xFFFFFFFE, epoch, "", "NO_VAL (0xfffffffe)"),
        (0.25, double, "", "0.25"),
    ],
)
def test_a_number_reads_as_what_it_counts(value, of, unit, text):
    assert scalar_text(value, of, None, unit) == text


def test_a_version_reads_as_its_release():
    assert scalar_text(0x2A00, u16, Version) == "V24_11 (10752)"


def test_every_enum_of_fields_can_be_had_from_one_place():
    assert all(getattr(constants, name) is getattr(field_constants, name) for name in field_constants.__all__)
