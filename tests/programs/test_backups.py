"""Which backups are away, and what it is to triggers when one goes or comes."""

from __future__ import annotations

from types import SimpleNamespace

from immutables import Map

from actors.programs.backups import away, kinds_of
from flurm.config.records import Config, ControllerAddress
from flurm.core.records import Cluster
from flurm.core.trigger_records import Trigger, TriggerKind

CONFIG = Config(
    slurmctld_host="10.0.0.2",
    controllers=tuple(ControllerAddress(f"10.0.0.{number}", 6817, f"c{number}") for number in (1, 2, 3)),
)


def waiting_for(kind):
    return Cluster(triggers=Map({1: Trigger(id=1, resource=3, kind=int(kind), program="/bin/tell", user_id=0)}))


def peers(**heard):
    return SimpleNamespace(status=lambda: {name: SimpleNamespace(heard_s_ago=ago_s) for name, ago_s in heard.items()})


def test_a_backup_that_is_silent_or_never_came_is_away_and_the_primary_is_no_backup():
    cluster = waiting_for(TriggerKind.BU_CTLD_FAIL)
    assert away(cluster, CONFIG, peers(c1=60.0, c3=0.5)) == frozenset()
    assert away(cluster, CONFIG, peers(c1=0.5, c3=60.0)) == {"c3"}
    assert away(cluster, CONFIG, peers(c1=0.5, c3=None)) == {"c3"}


def test_nobody_is_looked_at_while_nobody_waits_for_it():
    assert away(waiting_for(TriggerKind.DOWN), CONFIG, peers(c3=60.0)) is None
    assert away(waiting_for(TriggerKind.BU_CTLD_FAIL), CONFIG, None) is None


def test_going_and_coming_are_events_and_what_was_so_before_is_none():
    gone, there = frozenset({"c3"}), frozenset()
    assert kinds_of(there, gone) == TriggerKind.BU_CTLD_FAIL
    assert kinds_of(gone, there) == TriggerKind.BU_CTLD_RES_OP
    assert kinds_of(gone, frozenset({"c2"})) == TriggerKind.BU_CTLD_FAIL | TriggerKind.BU_CTLD_RES_OP
    assert kinds_of(None, gone) == kinds_of(gone, gone) == TriggerKind(0)
