"""Levels for everything and for single modules."""

from __future__ import annotations

import io

import pytest
import structlog

from flurm.cli import logs
from flurm.console.log_levels import LEVELS, Levels


@pytest.fixture
def written():
    stream = io.StringIO()
    logs.configure("info", stream)
    return stream


def test_a_module_may_log_more_than_the_rest(written):
    LEVELS.set("debug", "actors.net")
    structlog.get_logger("actors.net.listener").debug("heard")
    structlog.get_logger("actors.consensus").debug("not heard")
    structlog.get_logger("actors.consensus").info("heard too")
    assert [word in written.getvalue() for word in ("heard", "not heard", "heard too")] == [True, False, True]


def test_a_module_may_log_less_than_the_rest(written):
    LEVELS.set("error", "actors.net")
    structlog.get_logger("actors.net.rpc").warning("quiet")
    structlog.get_logger("actors.network").warning("loud")
    LEVELS.set(None, "actors.net")
    structlog.get_logger("actors.net.rpc").warning("again")
    assert [word in written.getvalue() for word in ("quiet", "loud", "again")] == [False, True, True]


def test_what_is_no_level_is_refused_with_those_that_are():
    levels = Levels()
    with pytest.raises(ValueError, match="debug, info, warning, error, critical"):
        levels.set("verbose")
    assert str(levels).split() == ["everything", "info"]
