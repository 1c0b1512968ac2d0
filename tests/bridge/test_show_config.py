"""The configuration: what slurmctld of each release says of the same slurm.conf."""

from __future__ import annotations

import pytest

from flurm.bridge.show_config import build_info
from flurm.config import load
from tests.bridge import recorded
from tests.slurm.slurm_conf import slurm_conf

NO_RULE = ("last_update", "hash_val", "version", "slurm_conf")
PLUGIN_FILES = ("mpi_conf",)
"""24.11 lists what the PMIx plugin's own file says."""
TOLD_ELSEWHERE = ("tree_width",)


@pytest.mark.parametrize(("release", "version"), [("22.05", 0x2600), ("24.11", 0x2A00)])
def test_every_field_of_the_configuration_is_what_slurmctld_says(tmp_path, release, version):
    (tmp_path / "slurm.conf").write_text(slurm_conf())
    munged = "/run/munge/munge.socket.2"
    (tmp_path / "flurm.toml").write_text(f'[flurm]\nslurm_conf = "{tmp_path}/slurm.conf"\nmunge_socket = "{munged}"\n')
    seen = recorded.reply(release, "pending", "build", version).record
    config = load(tmp_path / "flurm.toml")
    shown = build_info(config, version, 0, started_s=seen.boot_time, next_job_id=seen.next_job_id)
    but = NO_RULE + PLUGIN_FILES + TOLD_ELSEWHERE
    assert recorded.differences(recorded.as_sent(shown, version), seen, *but) == {}
