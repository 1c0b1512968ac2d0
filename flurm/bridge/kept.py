"""Kept wire forms: a job is packed once per release and request flags, and answers are joined from the pieces.

A form is valid while the very same `Job` object stands in the table, and while what it was made from beside the job
(partitions, settings, the order and configured shape of the nodes) is the same; so nothing ever has to be told that it
is stale. Readers in many threads share one `KeptForms` without a lock: every access is one dict operation on values
that are never changed in place, and two threads that pack the same job at the same time merely do it twice.

The whole list is kept with the time at which it was given. As long as no job changes it is given again as the very
same bytes, time included: it says as of when it is true, and a client that brings that time back learns that nothing
changed. So it is neither copied nor hashed again.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from flurm.bridge.resources import Sizes
from flurm.bridge.show_jobs import UserName, in_listing_order, is_hidden, job_info
from flurm.core.job_records import Job
from flurm.core.records import Cluster
from protocol.codec import pack
from protocol.constants import ShowFlag
from protocol.versions import Version

__all__ = ["KeptForms"]

_COUNT_AND_TIMES = Struct(">Iqq")
_MOST_VARIANTS = 8
"""Combinations of release and flags that are kept at once; the one that was made first goes first."""

_SEEN_FLAGS = int(ShowFlag.ALL | ShowFlag.DETAIL)


@dataclass(frozen=True)
class _Answer:
    """The body of a listing of all of `jobs`, and the times that stand in it."""

    jobs: object
    count: int
    now_s: int
    backfill_s: int
    body: bytes

    def is_current(self, cluster: Cluster, backfill_s: int) -> bool:
        """Whether it is what a client would be told now, by the times too: a list that was given within the second of
        the last change must not tell that second, or its client would be sent the same list again and again."""
        return self.jobs is cluster.jobs and self.backfill_s == backfill_s and self.now_s > cluster.jobs_changed_s


class _Variant:
    """The forms for one release and one set of flags, all made from the same `basis`."""

    __slots__ = ("answer", "basis", "forms", "sizes")

    def __init__(self, basis: tuple[object, ...]) -> None:
        self.basis = basis
        self.forms: dict[int, tuple[Job, bytes]] = {}
        self.answer: _Answer | None = None
        self.sizes: Sizes = {}


class KeptForms:
    """Packed jobs, and the joined list of them, for as long as they are true."""

    def __init__(self) -> None:
        self._variants: dict[tuple[int, int], _Variant] = {}

    def job(self, cluster: Cluster, job: Job, version: int, show_flags: int, user_name: UserName) -> bytes:
        """One job as it stands in a RESPONSE_JOB_INFO of this version."""
        return self._job(self._variant(cluster, version, show_flags), cluster, job, version, show_flags, user_name)

    def all_jobs(
        self, cluster: Cluster, version: int, show_flags: int, now_s: int, backfill_s: int, user_name: UserName
    ) -> bytes:
        """The body of RESPONSE_JOB_INFO for all jobs that a request with these flags may see."""
        variant = self._variant(cluster, version, show_flags)
        answer = variant.answer
        if answer is not None and answer.is_current(cluster, backfill_s):
            return answer.body
        jobs = cluster.jobs
        if answer is not None and answer.jobs is jobs:
            pieces: list[bytes | memoryview] = [memoryview(answer.body)[_COUNT_AND_TIMES.size :]]
            count = answer.count
        else:
            pieces = self._pieces(variant, cluster, version, show_flags, user_name)
            count = len(pieces)
        body = b"".join((_COUNT_AND_TIMES.pack(count, now_s, backfill_s), *pieces))
        variant.answer = _Answer(jobs, count, now_s, backfill_s, body)
        return body

    def some_jobs(
        self, cluster: Cluster, jobs: list[Job], version: int, show_flags: int, now_s: int, backfill_s: int,
        user_name: UserName,
    ) -> bytes:  # fmt: skip
        """The body of RESPONSE_JOB_INFO for these jobs, in this order."""
        variant = self._variant(cluster, version, show_flags)
        forms = [self._job(variant, cluster, job, version, show_flags, user_name) for job in jobs]
        return _COUNT_AND_TIMES.pack(len(forms), now_s, backfill_s) + b"".join(forms)

    def sweep(self, cluster: Cluster) -> None:
        """Forget the forms of jobs that are gone."""
        for variant in list(self._variants.values()):
            for job_id in [i for i in list(variant.forms) if i not in cluster.jobs]:
                variant.forms.pop(job_id, None)

    @property
    def size(self) -> int:
        """How many forms are kept."""
        return sum(len(variant.forms) for variant in self._variants.values())

    def _pieces(
        self, variant: _Variant, cluster: Cluster, version: int, show_flags: int, user_name: UserName
    ) -> list[bytes | memoryview]:
        forms, jobs = variant.forms, cluster.jobs
        may_hide = not show_flags & ShowFlag.ALL and any(p.hidden for p in cluster.partitions.values())
        pieces: list[bytes | memoryview] = []
        fresh: dict[int, tuple[Job, bytes]] = {}
        for job_id in in_listing_order(cluster):
            job = jobs[job_id]
            form = forms.get(job_id)
            if form is None or form[0] is not job:
                form = (job, pack(job_info(cluster, job, version, show_flags, user_name, variant.sizes), version))
            fresh[job_id] = form
            if not may_hide or not is_hidden(cluster, job, show_flags):
                pieces.append(form[1])
        variant.forms = fresh
        return pieces

    def _job(
        self, variant: _Variant, cluster: Cluster, job: Job, version: int, show_flags: int, user_name: UserName
    ) -> bytes:
        form = variant.forms.get(job.id)
        if form is None or form[0] is not job:
            form = (job, pack(job_info(cluster, job, version, show_flags, user_name, variant.sizes), version))
            variant.forms[job.id] = form
        return form[1]

    def _variant(self, cluster: Cluster, version: int, show_flags: int) -> _Variant:
        key = (version, show_flags if version < Version.V24_11 else show_flags & _SEEN_FLAGS)
        basis = (cluster.partitions, cluster.settings, cluster.node_order, cluster.fingerprint)
        variant = self._variants.get(key)
        if variant is None or any(ours is not theirs for ours, theirs in zip(variant.basis, basis, strict=True)):
            self._variants.pop(key, None)
            for oldest in list(self._variants)[: 1 - _MOST_VARIANTS]:
                self._variants.pop(oldest, None)
            variant = self._variants[key] = _Variant(basis)
        elif len(variant.forms) > 2 * len(cluster.jobs) + 1000:
            jobs = cluster.jobs
            variant.forms = {job_id: form for job_id, form in list(variant.forms.items()) if job_id in jobs}
        return variant
