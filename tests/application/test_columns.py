"""What `flurm`'s commands print in columns."""

from flurm.cli.common import columns


def test_rows_stand_below_their_headings_and_what_is_missing_is_a_dash():
    rows = [{"node": "n1", "used_cpus": 0}, {"node": "another", "reason": None}, {"node": "n3", "reason": "bad disk"}]
    assert columns(rows).splitlines() == [
        "NODE     USED CPUS  REASON",
        "n1       0          -",
        "another  -          -",
        "n3       -          bad disk",
    ]
    assert columns([]) == ""
