"""What is run of the table of programs, in which order, and what is done when the keeper or the leadership is lost."""

from __future__ import annotations

from actors.programs.runner import AGAIN_S, AT_ONCE, Ended, KeeperGone, Programs
from flurm.config import Config
from flurm.core.commands import ProgramDone
from flurm.core.programs import EPILOG, MAIL, decide, forget
from flurm.core.records import Cluster


class FakeKeeper:
    """Notes what it is told to do."""

    made: list[FakeKeeper] = []

    def __init__(self, number, tell):
        self.begun, self.ended, self.closed = [], [], False
        FakeKeeper.made.append(self)

    def begin(self, order):
        self.begun.append((order["run"], order["argv"][0]))

    def end(self, run):
        self.ended.append(run)

    def close(self):
        self.closed = True


def programs():
    FakeKeeper.made = []
    return Programs({"keeper": FakeKeeper, "config": Config()}, lambda told: None)


def with_runs(count, kind=MAIL, cluster=None, paths=("/bin/tell",)):
    cluster = cluster or Cluster()
    for _ in range(count):
        cluster = decide(cluster, kind, paths, 1000)
    return cluster


def begun():
    return [run for run, _ in FakeKeeper.made[-1].begun]


def test_no_process_is_started_while_nothing_is_to_run():
    programs().follow(Cluster())
    assert FakeKeeper.made == []


def test_each_program_is_begun_once_and_told_again_until_its_end_is_written_down():
    mine, cluster = programs(), with_runs(2)
    mine.follow(cluster)
    mine.follow(cluster)
    assert begun() == [1, 2]
    done = ProgramDone(now_s=50, id=1, status=256)
    assert mine.ended(Ended(1, 256), cluster, 50.0) == done
    assert mine.untaken(50.0 + AGAIN_S) == [done]
    mine.follow(forget(cluster, 1))
    assert mine.untaken(50.0 + 9 * AGAIN_S) == []
    assert begun() == [1, 2]


def test_what_is_gone_from_the_table_is_killed():
    mine, cluster = programs(), with_runs(2)
    mine.follow(cluster)
    mine.follow(forget(cluster, 1))
    assert FakeKeeper.made[0].ended == [1]
    assert mine.ended(Ended(1), forget(cluster, 1), 50.0) is None


def test_many_of_one_kind_wait_for_each_other_and_for_nobody_else():
    mine, cluster = programs(), with_runs(AT_ONCE + 2)
    cluster = with_runs(1, EPILOG, cluster)
    mine.follow(cluster)
    assert begun() == [*range(1, AT_ONCE + 1), AT_ONCE + 3]
    mine.ended(Ended(7), cluster, 50.0)
    assert begun()[-1] == AT_ONCE + 1


def test_programs_of_one_run_follow_each_other_until_one_fails():
    mine, cluster = programs(), with_runs(1, EPILOG, paths=("/a", "/b", "/c"))
    mine.follow(cluster)
    assert mine.ended(Ended(1), cluster, 50.0) is None
    assert mine.ended(Ended(1, 256), cluster, 51.0) == ProgramDone(now_s=51, id=1, status=256)
    assert FakeKeeper.made[0].begun == [(1, "/a"), (1, "/b")]


def test_what_ran_in_a_keeper_that_died_begins_again_in_a_new_one():
    mine, cluster = programs(), with_runs(2)
    mine.follow(cluster)
    mine.ended(Ended(1), cluster, 50.0)
    mine.keeper_gone(KeeperGone(1))
    mine.follow(cluster)
    assert (len(FakeKeeper.made), begun()) == (2, [2])


def test_programs_wait_while_no_keeper_can_be_started():
    mine, cluster = programs(), with_runs(1)
    mine._make_keeper = refuse
    mine.follow(cluster)
    mine._make_keeper = FakeKeeper
    mine.follow(cluster)
    assert begun() == [1]


def refuse(number, tell):
    raise BlockingIOError(11, "no more processes")


def test_a_controller_that_leads_no_more_kills_all_and_begins_all_when_it_leads_again():
    mine, cluster = programs(), with_runs(2)
    mine.follow(cluster)
    mine.stop()
    assert FakeKeeper.made[0].closed
    mine.keeper_gone(KeeperGone(1))
    mine.follow(forget(cluster, 1))
    assert (len(FakeKeeper.made), begun()) == (2, [2])
