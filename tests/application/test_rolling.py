"""In which order the controllers of a cluster change over to another release, and what happens when one fails."""

from __future__ import annotations

import pytest

from flurm.cli.rolling import MemberFailed, Rolling, RollingFailed


class Fake:
    """Three controllers; `broken` fails to do what it is asked, `slow` takes some looks to catch up."""

    def __init__(self, leader="c1", broken=None, slow=None, digests=None, newest=1):
        self.leader, self.broken, self.slow = leader, broken, slow
        self.releases = dict.fromkeys(("c1", "c2", "c3"), "1.0")
        self.digests = digests or {}
        self.newest = newest
        self.silent = set()
        self.behind = 3
        self.did = []

    def status(self):
        rows = []
        for name, release in self.releases.items():
            newest = self.newest if release == "2.0" else 1
            row = {"member": name, "release": release, "machine": f"1-{newest}", "applied": 100}
            if name == self.slow and release == "2.0" and self.behind:
                self.behind -= 1
                row["applied"] = 50
            rows.append({"member": name, "release": "?", "machine": "?"} if name in self.silent else row)
        in_force = self.newest if set(self.releases.values()) == {"2.0"} else 1
        return {"leader": self.leader, "machine_version": in_force, "members": rows}

    def run(self, member, what, where=""):
        if what == "check":
            return f"2.0 ({self.digests.get(member, 'aa')})"
        self.did.append((what, member, self.leader))
        if member == self.broken and what == "upgrade":
            raise MemberFailed(f"{member}: code_change failed")
        self.releases[member] = "2.0" if what == "upgrade" else "1.0"
        return f"release {self.releases[member]} runs"

    def transfer(self, to):
        self.leader = to
        return f"{to} leads"


def rolling(cluster):
    said = []
    clock = iter(range(10_000))
    return Rolling(cluster, said.append, sleep=lambda _: None, now_s=lambda: next(clock)), said


def test_followers_go_first_and_the_leader_last_when_it_leads_no_more():
    cluster = Fake(leader="c2", newest=2)
    run, said = rolling(cluster)
    run.upgrade("2.0")
    assert cluster.did == [("upgrade", "c1", "c2"), ("upgrade", "c3", "c2"), ("upgrade", "c2", "c1")]
    assert said[-1] == "state machine: version 2 is in force"
    assert "c1 leads" in said


def test_the_next_one_waits_until_the_one_before_has_caught_up():
    cluster = Fake(slow="c2")
    run, said = rolling(cluster)
    run.upgrade("2.0")
    assert cluster.behind == 0
    assert said.index("c2: has caught up (entry 100)") < said.index("c3: release 2.0 runs")


@pytest.mark.parametrize(("broken", "undone"), [("c2", []), ("c3", ["c2"]), ("c1", ["c3", "c2"])])
def test_when_one_fails_those_that_changed_over_go_back(broken, undone):
    cluster = Fake(broken=broken)
    run, _ = rolling(cluster)
    with pytest.raises(RollingFailed, match=f"{broken}: code_change failed; all controllers that answer run the rel"):
        run.upgrade("2.0")
    assert [member for what, member, _ in cluster.did if what == "rollback"] == undone
    assert set(cluster.releases.values()) == {"1.0"}


def test_one_that_never_catches_up_takes_all_back():
    cluster = Fake(slow="c3")
    cluster.behind = 10_000
    run, _ = rolling(cluster)
    with pytest.raises(RollingFailed, match="c3 has applied entry 50 after 30 s, expected 100"):
        run.upgrade("2.0")
    assert set(cluster.releases.values()) == {"1.0"}


def test_nothing_is_begun_where_the_release_is_not_the_same_everywhere_or_one_is_silent():
    for cluster in (Fake(digests={"c3": "bb"}), Fake()):
        cluster.silent = set() if cluster.digests else {"c3"}
        run, _ = rolling(cluster)
        with pytest.raises(RollingFailed, match=r"not the same release everywhere|c3 does not answer"):
            run.upgrade("2.0")
        assert cluster.did == []


def test_back_goes_the_same_way():
    cluster = Fake()
    rolling(cluster)[0].upgrade("2.0")
    cluster.did.clear()
    rolling(cluster)[0].rollback()
    assert [(what, member) for what, member, _ in cluster.did] == [
        ("rollback", "c1"), ("rollback", "c3"), ("rollback", "c2"),
    ]  # fmt: skip
    assert set(cluster.releases.values()) == {"1.0"}
