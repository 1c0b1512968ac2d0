"""flurm.toml: the documented defaults, what may be written, and what is refused with which words."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flurm.config import Config, ConfigError, ControllerAddress, Machine, load, validate_for_reconfigure
from flurm.config import settings as tables
from flurm.config.toml_lines import locate

HOST = Machine(
    hostname="box", cpus=8, sockets=1, cores_per_socket=4, threads_per_core=2, memory_mib=16000, tmp_disk_mib=500
)
USER = Machine(
    hostname="box", cpus=2, cores_per_socket=2, user="ann", is_root=False, state_home="/home/ann/.local/state"
)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "flurm.toml"
    path.write_text(text)
    return path


def loaded(tmp_path: Path, text: str, machine: Machine = HOST) -> Config:
    return load(written(tmp_path, text), machine=machine)


def refusal(tmp_path: Path, text: str) -> str:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as refused:
        load(path, machine=HOST)
    return str(refused.value).removeprefix(f"{path}:")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cluster_name", "cluster"),
        ("controller_name", "box"),
        ("slurmctld_host", "localhost"),
        ("slurmctld_port", 6817),
        ("slurmd_port", 6818),
        ("controllers", ()),
        ("state_dir", "/var/lib/flurm"),
        ("log_dir", "/var/log/flurm"),
        ("spool_dir", "/var/spool/flurm"),
        ("checkpoint_dir", "/var/lib/flurm/checkpoint"),
        ("checkpoint_interval", 60000),
        ("scheduler_plugin", "flurm_sched_backfill"),
        ("schedule_interval", 1000),
        ("max_job_count", 100000),
        ("default_time_limit", 60),
        ("max_time_limit", 43200),
        ("auth_type", "munge"),
        ("log_level", "info"),
        ("raft_election_timeout", (150, 300)),
        ("raft_heartbeat_interval", 50),
        ("raft_snapshot_interval", 10000),
        ("raft_clock_drift_bound", None),
        ("raft_port", 6816),
        ("join_port", 0),
        ("http_port", 9090),
        ("heartbeat_interval", 30000),
        ("heartbeat_timeout", 90000),
        ("node_down_threshold", 3),
        ("kill_wait", 30),
        ("min_job_age", 300),
        ("max_array_size", 1001),
        ("first_job_id", 1),
    ],
)
def test_a_documented_default_holds_where_nothing_is_configured(key, value):
    assert getattr(load(None, machine=HOST), key) == value


def test_every_key_of_the_tables_is_an_attribute_of_its_record():
    from flurm.config import NodeConfig, PartitionConfig, SlurmdConfig

    rows = {
        Config: tables.CLUSTER,
        NodeConfig: tables.NODE,
        PartitionConfig: tables.PARTITION,
        SlurmdConfig: tables.SLURMD,
    }
    strays = {key.target for record, keys in rows.items() for key in keys if key.target not in record.__struct_fields__}
    assert strays == {"sockets_per_board"}


def test_without_a_file_this_host_is_a_cluster_of_one_node_and_one_partition():
    config = load(None, machine=HOST)
    (node,), (partition,) = config.nodes, config.partitions
    assert (node.name, node.cpus, node.sockets, node.cores_per_socket, node.threads_per_core) == ("box", 8, 1, 4, 2)
    assert (node.real_memory_mib, config.def_mem_per_cpu, config.embedded_node_name) == (16000, 2000, "box")
    assert (partition.name, partition.nodes, partition.default) == ("debug", ("box",), True)
    assert (partition.default_time, partition.max_time) == (60, 43200)


def test_an_ordinary_user_keeps_everything_below_the_own_state_directory():
    config = load(None, machine=USER)
    home = "/home/ann/.local/state/flurm"
    assert (config.state_dir, config.log_dir, config.spool_dir) == (home, f"{home}/log", f"{home}/spool")
    assert config.slurm_user == "ann"


def test_directories_follow_a_state_directory_that_is_given(tmp_path):
    config = loaded(tmp_path, '[flurm]\nstate_dir = "here"\n')
    assert (config.state_dir, config.checkpoint_dir) == (f"{tmp_path}/here", f"{tmp_path}/here/checkpoint")


def test_the_node_daemon_section_lies_over_the_hardware(tmp_path):
    config = loaded(
        tmp_path,
        '[flurm.slurmd]\nnode_name = "node001"\ncpus = 64\nmemory = 256000\nfeatures = ["gpu", "nvme"]\n'
        'gres = { gpu = { type = "a100", count = 4 } }\n',
    )
    (node,) = config.nodes
    assert (node.name, node.cpus, node.real_memory_mib) == ("node001", 64, 256000)
    assert (node.features, node.gres) == (("gpu", "nvme"), "gpu:a100:4")


def test_partitions_take_the_documented_keys(tmp_path):
    config = loaded(
        tmp_path,
        '[[flurm.partitions]]\nname = "batch"\nnodes = ["node[001-100]"]\nmax_time = 1440\ndefault = true\n'
        'state = "up"\npriority_tier = 1\nmax_nodes_per_job = 50\npreempt_mode = "requeue"\n'
        '[[flurm.partitions]]\nname = "gpu"\nnodes = ["gpu[01-10]"]\nfeatures_required = ["gpu"]\n'
        "max_jobs_per_user = 2\n",
    )
    batch, gpu = config.partitions
    assert (len(batch.nodes), batch.nodes[0], batch.max_time, batch.max_nodes) == (100, "node001", 1440, 50)
    assert (batch.state, batch.preempt_mode, batch.default) == ("UP", "REQUEUE", True)
    assert (gpu.features_required, gpu.max_jobs_per_user, gpu.default, gpu.max_time) == (("gpu",), 2, False, 43200)
    assert (config.embedded_node, config.default_partition) == (False, "batch")


def test_declared_nodes_share_out_addresses_and_are_all_there_is(tmp_path):
    config = loaded(
        tmp_path, '[[flurm.nodes]]\nname = "n[1-3]"\naddress = "10.0.0.[1-3]"\ncpus = 4\nmemory = "8G"\nport = 7000\n'
    )
    assert [(n.name, n.address, n.port, n.real_memory_mib) for n in config.nodes] == [
        ("n1", "10.0.0.1", 7000, 8192),
        ("n2", "10.0.0.2", 7000, 8192),
        ("n3", "10.0.0.3", 7000, 8192),
    ]
    assert config.embedded_node_name is None


def test_controllers_may_be_written_in_three_ways(tmp_path):
    config = loaded(
        tmp_path, '[flurm]\ncontrollers = [["10.0.0.1", 6817], "10.0.0.2:7000", { host = "c", name = "c3" }]\n'
    )
    assert config.controllers == (
        ControllerAddress("10.0.0.1", 6817),
        ControllerAddress("10.0.0.2", 7000),
        ControllerAddress("c", 6817, "c3"),
    )


def test_overrides_beat_the_file_and_are_checked_alike(tmp_path):
    path = written(tmp_path, "[flurm]\nslurmctld_port = 7000\n")
    assert load(path, overrides={"slurmctld_port": 7001, "slurmd.cpus": 3}, machine=HOST).slurmctld_port == 7001
    with pytest.raises(ConfigError) as refused:
        load(path, overrides={"slurmctld_prt": 1}, machine=HOST)
    assert str(refused.value) == "overrides: slurmctld_prt = 1: unknown key; did you mean slurmctld_port?"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[flurm]\n\nslurmctld_prt = 1\n", "3: slurmctld_prt = 1: unknown key; did you mean slurmctld_port?"),
        ("[flurm]\nhttp_port = 70000\n", "2: http_port = 70000: expected a whole number from 0 to 65535"),
        ('[flurm]\nslurmd_port = "x"\n', "2: slurmd_port = 'x': expected a port from 1 to 65535"),
        ("cluster_name = 'a'\n", "1: cluster_name = 'a': unknown key; did you mean cluster_name under [flurm]?"),
        ("[flurm]\nkill_wait = true\n", "2: kill_wait = True: expected a whole number from 0 to 65535"),
        (
            "[flurm]\nraft_election_timeout = [300, 150]\n",
            "2: raft_election_timeout = [300, 150]: expected [lowest, highest] in milliseconds, lowest first",
        ),
        (
            "[flurm]\nraft_clock_drift_bound = 1\n",
            "2: raft_clock_drift_bound = 1: expected a number from 0 to less than 1, such as 0.01",
        ),
        (
            "[flurm]\nraft_heartbeat_interval = 200\n",
            "2: raft_heartbeat_interval = 200: expected less than raft_election_timeout (150 ms)",
        ),
        (
            "[flurm]\nmax_message_size = 200000\nmax_request_memory = 100000\n",
            "3: max_request_memory = 100000: expected at least max_message_size (200000 bytes); lower that one as well",
        ),
        ("[flurm]\nraft_port = 6817\n", "2: raft_port = 6817: expected another port than slurmctld_port"),
        (
            '[flurm]\n[[flurm.partitions]]\nname = "a"\n[[flurm.partitions]]\nname = "b"\nmax_tme = 1\n',
            "6: partitions[1].max_tme = 1: unknown key; did you mean max_time?",
        ),
        (
            '[[flurm.partitions]]\nname = "a"\nmax_time = "unlimited"\n',
            "3: partitions[0].max_time = 'unlimited': expected at most max_time_limit (43200 minutes)",
        ),
        ('[[flurm.nodes]]\nname = "a"\n[[flurm.nodes]]\nname = "a"\n', "4: nodes[1].name = 'a': is there twice"),
        ("[[flurm.nodes]]\ncpus = 1\n", "1: nodes[0].name: expected a name"),
        ("[flurm]\nx = = 1\n", "2: not TOML: Invalid value"),
        (
            "[flurm.slurm]\nPrologFlag = 'Alloc'\n",
            "2: slurm.PrologFlag = 'Alloc': unknown key; did you mean PrologFlags?",
        ),
        ("[flurm.slurm]\nKillWait = 3\n", "2: slurm.KillWait = 3: expected as kill_wait under [flurm]"),
        ('[flurm]\nslurm_conf = "no"\n', "2: slurm_conf = 'no': expected the path of a slurm.conf that exists"),
    ],
)
def test_a_wrong_value_is_refused_with_place_and_remedy(tmp_path, text, message):
    assert refusal(tmp_path, text) == message


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nope.toml: cannot read it: No such file or directory"):
        load(tmp_path / "nope.toml", machine=HOST)


def test_lines_are_found_past_strings_and_arrays_of_several_lines():
    text = '[a]\nx = [\n  "]",\n  1,\n]\ny = """\nz = 1\n"""\nz = 2\n[[a.b]]\n[[a.b]]\nq.r = 3\n'
    found = locate(text)
    assert (found[("a", "y")], found[("a", "z")], found[("a", "b", 1, "q", "r")]) == (6, 9, 12)


@given(st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), unique=True, min_size=1, max_size=20))
def test_every_key_of_a_flat_table_is_found_on_its_own_line(names):
    text = "[t]\n" + "".join(f"{name} = 1 # = [\n" for name in names)
    assert [locate(text)[("t", name)] for name in names] == list(range(2, len(names) + 2))


def test_reconfiguring_tells_what_is_live_and_what_needs_a_restart():
    old = load(None, machine=HOST)
    new = load(None, machine=HOST, overrides={"kill_wait": 5, "slurmctld_port": 7000, "partitions": [{"name": "p"}]})
    changes = {each.key: each.needs_restart for each in validate_for_reconfigure(old, new)}
    assert changes == {"slurmctld_port": True, "kill_wait": False, "partitions.debug": False, "partitions.p": False}
    assert validate_for_reconfigure(old, old) == []
