"""What Slurm's commands printed for a controller's answers, FLURM's print for the same answers, to the character."""

from __future__ import annotations

import grp
import pwd
import time
from importlib import import_module

import pytest

from flurm.client import texts
from tests.client.recorded import USERS, PlayedBack, Recording, recordings


@pytest.fixture(autouse=True)
def the_recorded_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its users, its time zone, and none of our caller's settings."""
    for name in ("SLURM_TIME_FORMAT", "SQUEUE_FORMAT", "SQUEUE_SORT", "SINFO_FORMAT", "SLURM_BITSTR_LEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    uids = {name: uid for uid, name in USERS.items()}

    def by_uid(uid: int) -> pwd.struct_passwd:
        return pwd.struct_passwd((USERS[uid], "x", uid, uid, "", "/", "/bin/sh"))

    def by_gid(gid: int) -> grp.struct_group:
        return grp.struct_group((USERS[gid], "x", gid, []))

    monkeypatch.setattr(pwd, "getpwuid", by_uid)
    monkeypatch.setattr(pwd, "getpwnam", lambda name: by_uid(uids[name]))
    monkeypatch.setattr(grp, "getgrgid", by_gid)
    texts.user_name.cache_clear()
    texts.group_name.cache_clear()
    yield
    texts.user_name.cache_clear()
    texts.group_name.cache_clear()


@pytest.mark.parametrize("recording", recordings(), ids=lambda recording: "_".join(recording.argv))
def test_the_same_answers_give_the_same_text(
    recording: Recording, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(time, "time", lambda: float(recording.now_s))
    controller = PlayedBack(recording.bodies(), ["ctl1", "ctl2"])
    name, *words = recording.argv
    status = import_module(f"flurm.client.{name}").run(words, lambda: controller)
    assert capsys.readouterr().out == recording.stdout
    assert status == 0
