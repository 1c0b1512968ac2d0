"""The benchmark's report, its profile and, where Slurm is installed, a short run of both sides."""

from __future__ import annotations

import json
import os

import pytest

from bench import __main__ as bench
from bench import clib, load, profile, wire
from bench.report import AHEAD, HALF, NO_MORE, Report, Row, at_most
from protocol.messages import JobResources
from protocol.versions import Version
from protocol.wire import Bits

LACKING = load.missing() + ([] if os.geteuid() == 0 else ["root"])


def report(*rows: Row) -> Report:
    return Report("a host", ["slurmctld 22.05.8", "flurm 1"], [1000.0, 2000.0], list(rows))


@pytest.mark.parametrize(
    ("budget", "real", "ours", "verdict"),
    [
        (AHEAD, 3700.0, 3701.0, "met"),
        (AHEAD, 3700.0, 3700.0, "missed"),
        (HALF, 186.0, 93.0, "met"),
        (HALF, 186.0, 94.0, "missed"),
        (NO_MORE, 6.2, 6.2, "met"),
        (NO_MORE, 6.2, 6.3, "missed"),
        (at_most(50, "ms"), 600.0, 49.9, "met"),
        (at_most(50, "ms"), 600.0, 50.0, "missed"),
        (at_most(50, "ms"), None, 20.0, "met"),
        (AHEAD, None, 3700.0, ""),
        (AHEAD, 3700.0, None, ""),
        (None, 3700.0, 1.0, ""),
    ],
)
def test_a_figure_is_held_against_its_budget(budget, real, ours, verdict):
    assert Row("a thing", "ms", real, ours, budget).verdict == verdict


def test_the_table_shows_both_figures_their_ratio_and_the_verdict():
    table = report(Row("ping", "/s", 2000.0, 3000.0, AHEAD), Row("pass", "ms", None, 120.0, at_most(100, "ms"))).table()
    lines = [line.split() for line in table.splitlines()]
    assert ["ping", "2,000", "/s", "3,000", "/s", "1.50", "ahead", "met"] in lines
    assert ["pass", "-", "120", "ms", "<", "100", "ms", "missed"] in lines
    assert "1000 to 2000 fdatasync/s" in table


def test_the_report_for_programs_says_the_same():
    said = json.loads(report(Row("ping", "/s", 2000.0, 3000.0, AHEAD)).json())
    assert said["rows"] == [
        {
            "what": "ping",
            "unit": "/s",
            "slurmctld": 2000.0,
            "flurm": 3000.0,
            "ratio": 1.5,
            "budget": "ahead",
            "verdict": "met",
        }
    ]


def test_a_load_whose_requests_failed_gives_no_figure():
    line = (
        '{"verb": "ping", "count": 9, "threads": 1, "errors": 2, "records": 0, "seconds": 1.0, "last_end_s": 1.0,'
        ' "first_ms": 1.0, "p50_ms": 1.0, "p99_ms": 1.0}'
    )
    with pytest.raises(load.BenchError, match="2 of 9 ping requests failed: no such thing"):
        load.parse(line, "no such thing\n")


def test_a_load_that_printed_no_figures_says_what_it_printed():
    with pytest.raises(load.BenchError, match="unable to contact"):
        load.parse("", "unable to contact the controller")


def test_a_profile_adds_up_what_functions_cost_alone_and_with_what_they_call():
    stacks = profile.read_stacks("thread a;outer (f.py:1);inner (f.py:7) 30\nthread a;outer (f.py:2) 10\n")
    shown = "\n".join(profile.costs(stacks, rows=5))
    own, called = shown.split("by function, own:")[1].split("by function, with what it calls:")
    assert "75.0 %  inner (f.py)" in own and "25.0 %  outer (f.py)" in own
    assert "100.0 %  outer (f.py)" in called


def test_a_short_run_of_the_wire_measures_every_message_and_listing(capsys):
    assert bench.main(["--wire", "--quick", "--json", "-"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 2 * (2 * 4 + 3)
    assert all(row["flurm"] > 0 for row in rows)
    cold = [row for row in rows if row["what"].endswith("cold")]
    assert all((row[wire.REAL] is not None) == clib.is_here() for row in cold)


def test_a_record_becomes_the_flat_list_of_its_values():
    kinds, values = clib.flat(JobResources(nhosts=1, nodes="n1", cpus=[2], core_bitmap=Bits(4, 3)), Version.V22_05)
    assert kinds[:6] == ("u32", "u32", "u32", "string", "u8", "u16")
    assert values[3] == "n1" and "0x3" in values and values[values.index("0x3") - 1] == 4


def test_what_the_machine_lacks_is_named(monkeypatch, capsys):
    monkeypatch.setattr(load, "missing", lambda: ["slurmctld"])
    assert bench.main(["--quick"]) == 1
    assert "needs slurmctld" in capsys.readouterr().err


@pytest.mark.slurm
@pytest.mark.skipif(bool(LACKING), reason=f"needs {', '.join(LACKING)}")
def test_a_short_run_measures_both_sides(tmp_path):
    file = tmp_path / "report.json"
    assert bench.main(["--quick", "--json", str(file)]) == 0
    said = json.loads(file.read_text())
    measured = {row["what"]: row for row in said["rows"]}
    assert len(measured) == 8 and not said["failures"]
    for what, row in measured.items():
        assert row["verdict"] is None, f"a short run judges nothing: {what}"
        if not what.startswith("memory"):
            assert row["slurmctld"] > 0 and row["flurm"] > 0, what


@pytest.mark.slurm
@pytest.mark.skipif(bool(LACKING), reason=f"needs {', '.join(LACKING)}")
@pytest.mark.skipif(not os.environ.get("FLURM_THOROUGH"), reason="takes half a minute: FLURM_THOROUGH=1 runs it")
def test_a_short_run_measures_one_controller_and_three_and_one_with_many_jobs(capsys):
    assert bench.main(["--members", "--quick"]) == 0
    lines = capsys.readouterr().out.splitlines()
    ways = ("one member", "leader of three", "follower")
    measured = {
        (way, *line[15:].split()[:1]): line.split()[-4:] for line in lines for way in ways if line.startswith(way)
    }
    assert measured.keys() == {(way, clients) for way in ways for clients in ("1", "8", "64")}
    for rate, median_ms, p99_ms, shared in measured.values():
        assert float(rate) > 0 and float(median_ms) <= float(p99_ms) and float(shared) >= 1
    assert any("heard nothing, heartbeats" in line for line in lines)
