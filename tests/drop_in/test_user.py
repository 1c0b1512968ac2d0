"""Becoming another user: what is given to it, and what is not."""

from __future__ import annotations

import os
import pwd

import pytest

from flurm.cli.daemon import DaemonError, User

NOBODY = "nobody"


def test_a_user_that_does_not_exist_is_named_with_the_key_that_names_it():
    with pytest.raises(DaemonError, match="SlurmUser=no-such-user: there is no such user on this host"):
        User("no-such-user", "SlurmUser")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_directory_is_given_with_all_in_it_but_for_links_to_what_lies_elsewhere(tmp_path):
    elsewhere, state = tmp_path / "secret", tmp_path / "state"
    elsewhere.write_text("of root")
    (state / "raft").mkdir(parents=True)
    (state / "raft" / "log").write_text("")
    os.link(elsewhere, state / "hard")
    (state / "soft").symlink_to(elsewhere)
    User(NOBODY, "SlurmUser").own_directory(state)
    uid = pwd.getpwnam(NOBODY).pw_uid
    assert {(state / name).stat().st_uid for name in (".", "raft", "raft/log")} == {uid}
    assert elsewhere.stat().st_uid == 0
