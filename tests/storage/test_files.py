"""Durable file operations: what happens in which order."""

import os
from pathlib import Path

import pytest

from flurm.storage.files import write_atomically


def test_a_file_is_synced_before_it_gets_its_name_and_the_directory_after(tmp_path, monkeypatch):
    steps = []
    fsync, replace = os.fsync, Path.replace

    def record_fsync(fd):
        steps.append(f"sync {Path(f'/proc/self/fd/{fd}').readlink().name.split('.')[0]}")
        fsync(fd)

    def record_replace(source, target):
        steps.append(f"rename to {target.name}")
        return replace(source, target)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(Path, "replace", record_replace)
    write_atomically(tmp_path / "state", [b"some", b"thing"])
    assert steps == ["sync state", "rename to state", f"sync {tmp_path.name}"]
    assert (tmp_path / "state").read_bytes() == b"something"


def test_a_write_that_breaks_off_leaves_the_old_file_and_no_other(tmp_path):
    def breaks_off():
        yield b"new"
        raise RuntimeError

    write_atomically(tmp_path / "state", [b"old"])
    with pytest.raises(RuntimeError):
        write_atomically(tmp_path / "state", breaks_off())
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    assert (tmp_path / "state").read_bytes() == b"old"
