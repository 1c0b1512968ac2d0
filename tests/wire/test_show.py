"""`flurm wire show`: the table of a message or a record."""

from __future__ import annotations

import json

import pytest

from flurm.client.wire_show import rows
from protocol import versions
from protocol.layout import names, resolve
from protocol.schema import BODIES
from tests.wire.recordings import wire


def test_a_message_is_found_by_name_number_and_record():
    by_name = json.loads(wire("show", "request_job_info", "--json").stdout)
    by_number = json.loads(wire("show", 2003, "--json").stdout)
    by_record = json.loads(wire("show", "jobinforequest", "--json").stdout)
    assert by_name == by_number and by_name["fields"] == by_record["fields"]
    assert [field["name"] for field in by_name["fields"]] == ["last_update", "show_flags", "job_ids"]


def test_a_field_has_its_type_bounds_meaning_and_unit():
    text = wire("show", "JobInfo", "--version", "24.11").stdout
    assert ["job_id", "u32", "24.11..25.05"] in [line.split() for line in text.splitlines()]
    assert ["time_limit", "u32", "24.11..", "min"] in [line.split() for line in text.splitlines()]
    assert ["job_state", "u32", "24.11..", "JobState"] in [line.split() for line in text.splitlines()]
    assert "JobState: PENDING 0, RUNNING 1" in text


def test_a_typo_gets_the_nearest_names():
    done = wire("show", "REQUEST_JOBINFO")
    assert done.exit_code == 1 and "did you mean REQUEST_JOB_INFO" in done.stderr


def test_the_generated_code_is_shown():
    text = wire("show", "RESPONSE_SLURM_RC", "--source").stdout
    assert "def unpack(_d, _o):" in text and "def pack(_r, _b):" in text


def test_an_unknown_release_and_a_message_that_a_release_lacks_are_told_apart():
    assert wire("show", "REQUEST_PING", "--version", "19.05").exit_code == 2
    done = wire("show", "REQUEST_KILL_JOBS", "--version", "22.05")
    assert done.exit_code == 1 and "does not exist in 22.05" in done.stderr


@pytest.mark.parametrize("version", versions.Version, ids=versions.name)
def test_the_table_of_a_version_has_the_fields_that_travel_in_it(version):
    for record in {record for record in BODIES.values() if record is not None}:
        shown = {row.name for row in rows(record, version) if row.type}
        assert shown == set(names(resolve(record, version)))
