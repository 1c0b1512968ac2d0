"""bench/otp.py runs; it judges nothing here."""

import json
import subprocess
import sys


def test_the_benchmark_of_the_runtime_gives_all_its_figures():
    done = subprocess.run(
        [sys.executable, "-m", "bench.otp", "--quick", "--json"],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    report = json.loads(done.stdout)
    assert [figure["what"] for figure in report["figures"]] == [
        "tell, sent",
        "tell, handled",
        "ask",
        "start and stop",
        "ring of 100",
        "p99 of an ask beside a busy actor",
    ]
    assert all(figure["pykka"] > 0 and figure["flurm"] > 0 for figure in report["figures"])
    assert set(report["children_ms"]) == {"20", "100"}
