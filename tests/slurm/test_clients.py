"""Slurm's own clients get from FLURM what they get from real slurmctld: stdout, stderr and exit status of every story.

One cluster per release serves all stories; a story that ends it, or that got stuck, gets or leaves a new one. What real
Slurm answered lies in `golden/` (see record.py); the few answers in which FLURM differs by intent in accepted.py.
Native clients are 22.05; 24.11 ones come from a Debian 13 root.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from tests.slurm import flurm_cluster, golden, roots
from tests.slurm.accepted import as_flurm_answers
from tests.slurm.cluster import RELEASES, Cluster
from tests.slurm.record import difference
from tests.slurm.story import Story, StoryStuck, run, stories

CASES = [(release, story) for release in RELEASES for story in stories() if story.belongs_to(release)]


def why_not(release: str) -> str | None:
    """Why stories cannot be played with clients of a release here; None where they can."""
    if os.geteuid() != 0:
        return "namespaces and users of their own need root"
    for program in ("sbatch", "munged", "unshare", "nsenter", "ip"):
        if shutil.which(program) is None:
            return f"{program} is not installed (slurm-client, munge, util-linux, iproute2)"
    if not flurm_cluster.installed():
        return "flurm and flurmd are not installed beside this python"
    if release != "22.05" and not roots.ready():
        return f"no Slurm {release} in {roots.directory()}: python -m tests.slurm.roots makes it"
    return None


class Clusters:
    """At most one FLURM cluster per release, brought up when it is first asked for."""

    def __init__(self) -> None:
        self._up: dict[str, Cluster] = {}
        self._failed: dict[str, Exception] = {}

    def of(self, release: str) -> Cluster:
        """The cluster of a release; what kept it from coming up is raised again for every story."""
        if release in self._failed:
            raise self._failed[release]
        if release not in self._up:
            try:
                self._up[release] = flurm_cluster.FlurmCluster(release)
            except Exception as failure:
                self._failed[release] = failure
                raise
        return self._up[release]

    def discard(self, release: str) -> None:
        """Give a cluster up: the next story gets a new one."""
        if cluster := self._up.pop(release, None):
            cluster.close()


@pytest.fixture(scope="session")
def clusters() -> Iterator[Clusters]:
    kept = Clusters()
    yield kept
    for release in RELEASES:
        kept.discard(release)


@pytest.mark.slurm
@pytest.mark.parametrize(
    ("release", "story"),
    [
        pytest.param(release, story, id=f"{release}-{story.name}", marks=[pytest.mark.trixie] * (release != "22.05"))
        for release, story in CASES
    ],
)
def test_clients_get_what_real_slurm_gives(release: str, story: Story, clusters: Clusters) -> None:
    if reason := why_not(release):
        pytest.skip(reason)
    expected = as_flurm_answers(release, story.name, golden.load(release, story))
    if "fresh" in story.options:
        clusters.discard(release)
    cluster = clusters.of(release)
    try:
        actual = run(story, cluster)
    except StoryStuck as stuck:
        logs = cluster.logs()
        clusters.discard(release)
        pytest.fail(f"{story.name}: {stuck}\n{logs}", pytrace=False)
    if "fresh" in story.options:
        clusters.discard(release)
    if diff := difference(expected, actual):
        pytest.fail(f"{story.name} with {release} clients:\n{diff}", pytrace=False)
