"""The files that a cluster serves to those without a slurm.conf."""

import pytest

from flurm.config import config_files, load
from protocol.versions import Version

CONF = """\
ClusterName=c
SlurmctldHost=localhost
SlurmctldParameters={parameters}
Prolog=prolog.sh
Epilog=/usr/sbin/epilog.sh
SlurmdSpoolDir=/var/spool/d.%n
Include nodes.conf
Include {elsewhere}
PartitionName=p Nodes=ALL
"""


def site(tmp_path, parameters="enable_configless"):
    elsewhere = tmp_path / "elsewhere.conf"
    elsewhere.write_text("KillWait=7\n")
    folder = tmp_path / "slurm"
    folder.mkdir()
    (folder / "slurm.conf").write_text(CONF.format(parameters=parameters, elsewhere=elsewhere))
    (folder / "nodes.conf").write_text("NodeName=n[1-2]\n")
    (folder / "cgroup.conf").write_text("CgroupPlugin=disabled\n")
    (folder / "prolog.sh").write_text("#!/bin/sh\n")
    (tmp_path / "flurm.toml").write_text(f'[flurm]\nslurm_conf = "{folder}/slurm.conf"\n')
    return load(tmp_path / "flurm.toml")


def names(files, version):
    return {each.name: each for each in files.for_version(version, for_client=False)}


def test_nothing_is_served_unless_the_site_says_so(tmp_path):
    assert config_files(site(tmp_path, "idle_on_node_suspend")) is None


def test_the_sites_file_is_served_as_it_stands_with_what_lies_beside_it(tmp_path):
    config = site(tmp_path, "max_dbd_msg_action=exit,Enable_Configless")
    files = config_files(config)
    served = names(files, Version.V22_05)
    assert next(iter(served)) == "slurm.conf"
    assert served["slurm.conf"].text == (tmp_path / "slurm" / "slurm.conf").read_text()
    assert served["cgroup.conf"].text == "CgroupPlugin=disabled\n"
    assert served["gres.conf"].text is None, "it is named, so that an old copy of it is deleted"
    assert files.spool_dir == "/var/spool/d.%n"


def test_a_file_included_by_a_bare_name_travels_and_one_by_a_path_does_not(tmp_path):
    served = names(config_files(site(tmp_path)), Version.V22_05)
    assert served["nodes.conf"].text == "NodeName=n[1-2]\n"
    assert "elsewhere.conf" not in served


def test_a_prolog_named_without_a_folder_travels_to_releases_that_can_run_it(tmp_path):
    files = config_files(site(tmp_path))
    assert names(files, Version.V23_11)["prolog.sh"].executable
    assert not {"prolog.sh", "epilog.sh"} & set(names(files, Version.V22_05))
    assert "epilog.sh" not in names(files, Version.V23_11)


def test_each_release_is_sent_the_names_that_slurmctld_of_that_release_sends(tmp_path):
    files = config_files(site(tmp_path))
    own = {"nodes.conf", "prolog.sh"}
    assert set(names(files, Version.V22_05)) - own == {
        "slurm.conf", "acct_gather.conf", "cgroup.conf", "cli_filter.lua", "ext_sensors.conf", "gres.conf",
        "helpers.conf", "job_container.conf", "knl_cray.conf", "mpi.conf", "oci.conf", "plugstack.conf",
        "topology.conf",
    }  # fmt: skip
    assert set(names(files, Version.V26_05)) - own == {
        "slurm.conf", "acct_gather.conf", "cgroup.conf", "cli_filter.lua", "gres.conf", "helpers.conf",
        "job_container.conf", "mpi.conf", "namespace.yaml", "oci.conf", "plugstack.conf", "scrun.lua",
        "topology.conf", "topology.yaml",
    }  # fmt: skip


def test_what_is_served_is_what_was_read_not_what_stands_there_now(tmp_path):
    files = config_files(site(tmp_path))
    (tmp_path / "slurm" / "cgroup.conf").write_text("CgroupPlugin=cgroup/v2\n")
    assert names(files, Version.V24_11)["cgroup.conf"].text == "CgroupPlugin=disabled\n"


def test_without_a_slurm_conf_of_a_site_what_client_config_prints_is_served(tmp_path):
    (tmp_path / "flurm.toml").write_text('[flurm]\ncluster_name = "c"\n[flurm.slurm]\nProlog = "/etc/prolog"\n')
    files = config_files(load(tmp_path / "flurm.toml"))
    for_client = files.for_version(Version.V22_05, for_client=True)[0].text
    for_slurmd = files.for_version(Version.V22_05, for_client=False)[0].text
    assert "ClusterName=c\n" in for_client and "ClusterName=c\n" in for_slurmd
    assert "Prolog=/etc/prolog" in for_slurmd and "Prolog" not in for_client


@pytest.mark.parametrize(
    ("version", "companions"),
    [
        (Version.V22_05, ["cli_filter.lua", "plugstack.conf", "topology.conf"]),
        (Version.V24_11, ["cli_filter.lua", "plugstack.conf", "topology.conf", "oci.conf", "scrun.lua"]),
    ],
)
def test_clients_and_sackd_get_what_clients_read_and_no_more(tmp_path, version, companions):
    files = config_files(site(tmp_path))
    served = [each.name for each in files.for_version(version, for_client=True)]
    assert served == ["slurm.conf", "nodes.conf", *companions]


def test_what_a_file_of_clients_includes_goes_to_clients_too(tmp_path):
    config = site(tmp_path)
    (tmp_path / "slurm" / "plugstack.conf").write_text("include spank.conf\n")
    (tmp_path / "slurm" / "spank.conf").write_text("optional x.so\n")
    served = {each.name for each in config_files(config).for_version(Version.V24_11, for_client=True)}
    assert "spank.conf" in served
