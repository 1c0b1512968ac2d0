"""The checker of histories: what it must accept and what it must not."""

from flurm.simulation.tree.clients import Op
from flurm.simulation.tree.linear import check
from protocol.errno import Errno

DONE = int(Errno.ESLURM_ALREADY_DONE)
FINISHED = int(Errno.ESLURM_JOB_FINISHED)


def op(kind, invoked_s, returned_s, code=0, held=False):
    return Op("u", kind, "j", invoked_s, job_id=7, returned_s=returned_s, code=code, held=held)


def test_requests_one_after_the_other_are_explained():
    history = [op("submit", 0, 1, held=True), op("release", 2, 3), op("cancel", 4, 5), op("hold", 6, 7, FINISHED)]
    assert check(history) == []


def test_a_held_job_does_not_end_by_itself():
    assert check([op("submit", 0, 1, held=True), op("cancel", 2, 3, DONE)])


def test_a_job_that_waits_may_have_run_before_it_was_cancelled():
    assert check([op("submit", 0, 1), op("cancel", 2, 3, DONE)]) == []


def test_of_two_at_once_either_may_have_been_first():
    history = [op("submit", 0, 1, held=True), op("cancel", 2, 9), op("release", 3, 4), op("hold", 5, 6, FINISHED)]
    assert check(history) == []


def test_a_job_cannot_be_cancelled_twice_with_success():
    assert check([op("submit", 0, 1, held=True), op("cancel", 2, 3), op("cancel", 4, 5)])


def test_a_request_without_an_answer_may_take_effect_late_or_never():
    lost = op("cancel", 2, None, None)
    assert check([op("submit", 0, 1, held=True), lost, op("hold", 4, 5), op("hold", 6, 7, FINISHED)]) == []
    assert check([op("submit", 0, 1, held=True), lost, op("hold", 4, 5), op("hold", 6, 7)]) == []


def test_nothing_takes_effect_before_it_was_asked_for():
    assert check([op("submit", 0, 1, held=True), op("hold", 2, 3, FINISHED), op("cancel", 4, None, None)])


def test_an_acknowledged_job_is_there():
    assert check([op("submit", 0, 1), op("hold", 2, 3, int(Errno.ESLURM_INVALID_JOB_ID))])
