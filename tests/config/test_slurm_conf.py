"""slurm.conf in, slurm.conf out, and what `scontrol show config` is told."""

from pathlib import Path

import pytest

from flurm.config import Config, ConfigError, Machine, load, load_or_create_munge_key, render_slurm_conf, show

HOST = Machine(hostname="ctl1")

SITE = """
# two controllers, a GPU queue
clustername=site
SlurmctldHost=ctl1(10.0.0.1)
SlurmctldHost=ctl2(10.0.0.2)
SlurmctldPort=7117
StateSaveLocation=/var/spool/ctld
SlurmdSpoolDir=/var/spool/slurmd.%n
SlurmdTimeout=60
KillWait=3
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=bf_interval=5,\\
enable_user_top
DefMemPerCPU=50
PriorityWeightTRES="CPU=1000,Mem=500"
AuthInfo=socket=/run/other.socket,ttl=60
NodeName=DEFAULT CPUs=4 CoresPerSocket=4 RealMemory=4000
NodeName=n[1-4] NodeAddr=10.0.1.[1-4] Feature=f1,f2 Gres=gpu:a100:2
NodeName=big CPUs=64 Feature=fat Port=7000 # the large one
NodeSet=fats Feature=fat
PartitionName=DEFAULT MaxTime=30 PriorityTier=3
PartitionName=debug Nodes=n[1-4] Default=YES DefaultTime=1:30
PartitionName=all Nodes=ALL Default=YES MaxTime=2-0 OverSubscribe=FORCE:2
PartitionName=large Nodes=fats,n1 Priority=7 MaxTime=UNLIMITED AllowGroups=staff
"""


def site(tmp_path: Path, text: str = SITE, extra: str = "") -> Config:
    (tmp_path / "slurm.conf").write_text(text)
    (tmp_path / "flurm.toml").write_text(f'[flurm]\nslurm_conf = "slurm.conf"\n{extra}')
    return load(tmp_path / "flurm.toml", machine=HOST)


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as refused:
        site(tmp_path, text)
    return str(refused.value).removeprefix(f"{tmp_path}/")


def test_the_common_keys_of_a_site_become_the_configuration(tmp_path):
    config = site(tmp_path)
    assert (config.cluster_name, config.slurmctld_port, config.slurmctld_host) == ("site", 7117, "10.0.0.1")
    assert [each.name for each in config.controllers] == ["ctl1", "ctl2"]
    assert (config.kill_wait, config.def_mem_per_cpu, config.heartbeat_timeout) == (3, 50, 60000)
    assert (config.munge_socket, config.munge_ttl) == ("/run/other.socket", 60)
    assert config.state_dir == "/var/spool/ctld/flurm"
    assert config.spool_dir_of("n1", "h1") == "/var/spool/slurmd.n1"
    assert config.scheduler_parameters == "bf_interval=5,enable_user_top"


def test_slurms_own_defaults_rule_what_its_file_leaves_out(tmp_path):
    config = site(tmp_path)
    assert (config.max_job_count, config.default_time_limit, config.max_time_limit) == (10000, None, None)
    assert (config.return_to_service, config.slurm_user) == (0, "root")


def test_default_records_and_host_lists_make_the_nodes(tmp_path):
    nodes = site(tmp_path).nodes
    assert [each.name for each in nodes] == ["big", "n1", "n2", "n3", "n4"]
    assert (nodes[3].address, nodes[3].sockets, nodes[3].features) == ("10.0.1.3", 1, ("f1", "f2"))
    assert (nodes[0].cpus, nodes[0].sockets, nodes[0].port) == (64, 16, 7000)


def test_partitions_follow_slurms_rules(tmp_path):
    debug, everything, large = site(tmp_path).partitions
    assert (debug.default, everything.default) == (False, True)
    assert (debug.default_time, debug.max_time, everything.max_time, large.max_time) == (2, 30, 2880, None)
    assert (everything.max_share, everything.all_nodes, len(everything.nodes)) == (0x8002, True, 5)
    assert (large.nodes, large.priority_tier, large.priority_job_factor) == (("big", "n1"), 7, 7)
    assert large.allow_groups == ("staff",)


# What real slurmctld 22.05 makes of these lines: (cpus, boards, sockets, cores, threads).
@pytest.mark.parametrize(
    ("line", "shape"),
    [
        ("CPUs=8", (8, 1, 8, 1, 1)),
        ("CPUs=8 Boards=2", (8, 2, 8, 1, 1)),
        ("CPUs=8 CoresPerSocket=2", (8, 1, 4, 2, 1)),
        ("CoresPerSocket=4", (4, 1, 1, 4, 1)),
        ("CPUs=8 ThreadsPerCore=2", (8, 1, 4, 1, 2)),
        ("Sockets=2 CoresPerSocket=2 ThreadsPerCore=2", (8, 1, 2, 2, 2)),
        ("CPUs=5 Sockets=2 CoresPerSocket=2", (4, 1, 2, 2, 1)),
        ("SocketsPerBoard=2 Boards=2", (4, 2, 4, 1, 1)),
        ("CPUs=4 Sockets=2 CoresPerSocket=2 ThreadsPerCore=2", (4, 1, 2, 2, 2)),
        ("Sockets=2", (2, 1, 2, 1, 1)),
        ("", (1, 1, 1, 1, 1)),
    ],
)
def test_processors_are_counted_as_slurm_counts_them(tmp_path, line, shape):
    (node,) = site(tmp_path, f"NodeName=a {line}\n").nodes
    assert (node.cpus, node.boards, node.sockets, node.cores_per_socket, node.threads_per_core) == shape


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\nKilWait=3\n", "slurm.conf:2: KilWait = '3': unknown key; did you mean KillWait?"),
        ("KillWait=x\n", "slurm.conf:1: KillWait = 'x': expected a whole number from 0 to 65535"),
        ("NodeName=a CPU=3\n", "slurm.conf:1: CPU = '3': unknown key in a NodeName line; did you mean CPUs?"),
        ("NodeName=a\nPartitionName=p Nodes=ab\n", "slurm.conf:2: Nodes = 'ab': unknown node ab"),
        ("KillWait\n", "slurm.conf:1: expected Key=Value, found 'KillWait'"),
        ("include slurm.conf\n", None),
        (
            "NodeName=a CPUs=2 Sockets=2 CoresPerSocket=2 ThreadsPerCore=2\n",
            "slurm.conf:1: NodeName = 'a': expected cpus to be 4 (cores) or 8 (threads) of this node",
        ),
    ],
)
def test_a_mistake_is_refused_with_place_and_remedy(tmp_path, text, message):
    found = refusal(tmp_path, text)
    assert found.startswith(message) if message else "includes itself" in found


def test_included_files_are_read_in_place(tmp_path):
    (tmp_path / "nodes.conf").write_text("NodeName=a[1-2]\n")
    assert len(site(tmp_path, "Include nodes.conf\nPartitionName=p Nodes=ALL\n").partitions[0].nodes) == 2


def test_what_is_rendered_reads_back_as_the_same_nodes_and_partitions(tmp_path):
    config = site(tmp_path)
    again = site(tmp_path, render_slurm_conf(config, for_client=False))
    assert (again.nodes, again.partitions, again.controllers) == (config.nodes, config.partitions, config.controllers)
    assert again.slurm["PriorityWeightTRES"] == "CPU=1000,Mem=500"


def test_clients_are_not_told_the_servers_paths(tmp_path):
    assert "StateSaveLocation" not in render_slurm_conf(site(tmp_path))


def test_show_config_answers_as_slurm_does_for_the_same_file(tmp_path):
    old = show.values(site(tmp_path), "22.05", next_job_id=7)
    new = show.values(site(tmp_path), "24.11")
    assert (old["select_type_param"], old["def_mem_per_cpu"], old["next_job_id"]) == (20, 50 | 1 << 63, 7)
    assert (old["control_machine"], old["control_addr"]) == (["ctl1", "ctl2"], ["10.0.0.1", "10.0.0.2"])
    assert (old["mpi_default"], new["mpi_default"], old["epilog"], new["epilog"]) == ("none", None, None, [])
    assert (old["priority_flags"], old["conf_flags"], old["cpu_freq_govs"]) == (32, 64, 2256535552)
    assert (old["tree_width"], new["tree_width"]) == (50, 16)
    assert (old["suspend_time"], old["priority_decay_hl"], old["prolog_epilog_timeout"]) == (0xFFFFFFFF, 604800, 65534)


def test_a_key_is_made_once_and_only_for_its_owner(tmp_path, monkeypatch):
    monkeypatch.setattr("flurm.config.munge_key.SYSTEM_KEY", str(tmp_path / "absent"))
    config = load(None, overrides={"state_dir": str(tmp_path / "state")}, machine=HOST)
    key = load_or_create_munge_key(config)
    assert (len(key), load_or_create_munge_key(config)) == (128, key)
    assert (tmp_path / "state/munge.key").stat().st_mode & 0o777 == 0o600


def test_a_key_that_is_too_short_is_refused(tmp_path):
    (tmp_path / "key").write_bytes(b"short")
    config = load(None, overrides={"munge_key": str(tmp_path / "key")}, machine=HOST)
    with pytest.raises(ConfigError, match="expected a key of 32 to 1024 bytes, found 5"):
        load_or_create_munge_key(config)
