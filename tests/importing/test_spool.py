"""Environments as slurmctld keeps them beside its state."""

from __future__ import annotations

import struct

import pytest

from flurm.importing import spool

SCRIPT = b"#!/bin/sh\necho $WORD\n"
FILE = struct.pack("=I", 2) + b"HOME=/home/a\0WORD=b\xc3\xa4r\nx\0"
"""As 22.05 and 24.11 write it."""


@pytest.fixture
def kept(tmp_path):
    directory = spool.directory_of(tmp_path, 1027)
    directory.mkdir(parents=True)
    (directory / "script").write_bytes(SCRIPT + b"\0")
    (directory / "environment").write_bytes(FILE)
    return tmp_path


def test_a_jobs_environment_is_found_by_its_id(kept):
    assert spool.environment(kept, 1027, SCRIPT) == (b"HOME=/home/a", b"WORD=b\xc3\xa4r\nx")
    assert spool.environment(kept, 1028, SCRIPT) is None
    assert (spool.is_spool(kept), spool.is_spool(kept / "hash.7")) == (True, False)


def test_one_that_lies_beside_another_script_is_another_jobs(kept):
    assert spool.environment(kept, 1027, b"#!/bin/sh\nexit 0\n") is None


@pytest.mark.parametrize("data", [b"", b"\1\0", struct.pack("=I", 3) + b"A=1\0", struct.pack("=I", 1) + b"A=1"])
def test_a_file_that_is_cut_short_is_no_environment(data):
    assert spool.parse(data) is None


def test_an_empty_environment_is_one():
    assert spool.parse(struct.pack("=I", 0)) == ()
