"""The grammar of slurm.conf, as slurmctld 22.05 and 24.11 read it; mutated files; the page made from the tables."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from flurm.cli.check_config import command
from flurm.config import ConfigError, Machine
from flurm.config.from_slurm import interpret
from flurm.config.slurmconf import SLURM_CONF, Files, parse_slurm_conf, read_slurm_conf
from flurm.config.slurmconf.companions import CGROUP_CONF, GRES_CONF, JOB_CONTAINER_CONF, TOPOLOGY_CONF
from flurm.config.slurmconf.docs import replaced
from flurm.config.slurmconf.parser import parse
from tests.config import echo

HOST = Machine(hostname="ctl1")
PAGE = Path(__file__).parents[2] / "docs" / "slurm-conf.md"


class Folder(Files):
    """Files that are in memory alone."""

    def __init__(self, **files: str) -> None:
        self.files = {name.replace("__", "/").replace("_", "."): text for name, text in files.items()}

    def read(self, path: str) -> str:
        return self.files[path.removeprefix("/etc/")]

    def exists(self, path: str) -> bool:
        return path.removeprefix("/etc/") in self.files

    def matching(self, pattern: str) -> list[str]:
        return sorted(f"/etc/{name}" for name in self.files if Path(f"/etc/{name}").match(pattern))


def values(text: str, **files: str) -> dict[str, str]:
    found = parse_slurm_conf(text, "/etc/slurm.conf", Folder(**files))
    assert found.faults == []
    return {each.key: each.value for each in found.settings}


def faults(text: str) -> list[str]:
    return [str(each) for each in parse_slurm_conf(text).faults]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("KILLWAIT=3\n", "3"),
        (" \t KillWait\t = 3 # half a minute\n", "3"),
        ("KillWait=3#c\r\n", "3"),
        ("KillWait=0x10\n", "0x10"),
        ("KillWait=4\nKillWait+=3\n", "3"),
        ("KillWait=\\\n3\n", "3"),
        ("Kill\\Wait=3\n", "3"),
        ("# it goes on not \\\nKillWait=3\n", "3"),
    ],
)
def test_a_number_is_read_whatever_stands_around_it(text, value):
    assert values(text) == {"KillWait": value}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a,\\\nb", "a,b"),
        ("a,\\  \nb", "a,b"),
        ("a\\#b", "a#b"),
        ('"a b"', "a b"),
        ('"a #b"', '"a'),
        ('"a"b', '"a"b'),
        ('a=b,c="d"', 'a=b,c="d"'),
        ('""', ""),
        ("a\\\\", "a\\"),
    ],
)
def test_text_is_read_as_slurmctld_reads_it(text, value):
    assert values(f"SchedulerParameters={text}\n") == {"SchedulerParameters": value}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("KillWait=3 MinJobAge=7\n", "slurm.conf:1: MinJobAge = '7': expected on a line of its own, KillWait stands"),
        ("SchedulerParameters=a,\\\n  b\n", "slurm.conf:1: expected Key=Value, found 'b'"),
        ("\nKillWait=\n", "slurm.conf:2: expected a value behind KillWait="),
        ("KillWait=-1\n", "slurm.conf:1: KillWait = '-1': expected a whole number from 0 to 65535"),
        ("KillWait=5k\n", "slurm.conf:1: KillWait = '5k': expected a whole number from 0 to 65535"),
        ("Kill.Wait=5\n", "slurm.conf:1: Kill.Wait = '5': unknown key; did you mean KillWait?"),
        ("CPUs=2 NodeName=a\n", "slurm.conf:1: CPUs = '2': unknown key"),
        ("NodeName=a CPUs=2, RealMemory=3\n", "slurm.conf:1: CPUs = '2,': expected a whole number"),
        ("NodeName=a NodeName=b\n", "slurm.conf:1: NodeName = 'b': unknown key in a NodeName line"),
        ("DisableRootJobs=maybe\n", "slurm.conf:1: DisableRootJobs = 'maybe': expected YES or NO"),
        ("DebugFlags=Backfil\n", "slurm.conf:1: DebugFlags = 'Backfil': expected debug flags, Backfil is none"),
        ("Include=x.conf\n", "slurm.conf:1: Include = 'x.conf': unknown key"),
        ("Include x.conf\n", "slurm.conf:1: Include: cannot read x.conf: No such file or directory"),
    ],
)
def test_what_slurmctld_refuses_is_refused_with_its_place(text, message):
    assert faults(text)[0].startswith(message)


def test_every_mistake_of_a_file_is_told_at_once(tmp_path):
    (tmp_path / "slurm.conf").write_text("KilWait=3\nMinJobAge=x\nNodeName=a CPU=2\nPartitionName=p Nodes=zz\n")
    with pytest.raises(ConfigError) as refused:
        interpret(read_slurm_conf(str(tmp_path / "slurm.conf")), HOST, [])
    assert [(each.line, each.key) for each in refused.value.all] == [
        (1, "KilWait"), (2, "MinJobAge"), (3, "CPU"), (4, "Nodes"),
    ]  # fmt: skip
    assert str(refused.value).count("\n") == 3


def test_included_files_are_found_beside_the_main_file_then_beside_the_one_that_says_so():
    inner = {"d__x_conf": "Include y.conf\n", "d__y_conf": "KillWait=5\n"}
    assert values("Include d/x.conf\n", **inner) == {"KillWait": "5"}
    assert values("Include d/x.conf\n", **inner, y_conf="KillWait=6\n") == {"KillWait": "6"}
    assert values("ClusterName=C\nInclude %c.conf\n", c_conf="KillWait=8\n")["KillWait"] == "8"


def test_a_pattern_includes_every_file_that_matches():
    found = values("Include d/*.conf\n", d__a_conf="KillWait=1\n", d__b_conf="MinJobAge=2\n")
    assert found == {"KillWait": "1", "MinJobAge": "2"}


def test_numbers_are_octal_hexadecimal_or_in_powers_of_1024():
    conf = parse_slurm_conf("TCPTimeout=010\nMessageTimeout=0x14\nMaxJobCount=5k\nNodeName=a\n")
    found = interpret(conf, HOST, []).settings
    assert (found["tcp_timeout"], found["message_timeout"], found["max_job_count"]) == (8, 20, 5120)


def test_nodes_that_are_down_by_the_file_have_its_state_and_reason():
    warnings: list[str] = []
    conf = parse_slurm_conf('NodeName=a[1-3]\nDownNodes=a1 State=DRAIN Reason="a fan"\nDownNodes=a2,a9\n')
    one, two, three = interpret(conf, HOST, warnings).nodes
    assert (one.state, one.reason, two.state, two.reason) == ("DRAIN", "a fan", "DOWN", "Set in slurm.conf")
    assert (three.state, warnings) == ("UNKNOWN", ["slurm.conf:3: no node a9; ignored"])


@pytest.mark.parametrize(
    ("grammar", "text", "unknown"),
    [
        (GRES_CONF, "AutoDetect=nvml\nNodeName=n[1-2] Name=gpu File=/dev/nvidia[0-3] Cores=0-7\nName=mps Count=4\n",
         "NodeName=a Nam=gpu\n"),
        (TOPOLOGY_CONF, "SwitchName=s1 Nodes=n1\nSwitchName=t Switches=s[1-2] LinkSpeed=5\n", "SwitchName=s Node=n\n"),
        (CGROUP_CONF, "CgroupPlugin=autodetect\nConstrainCores=yes\nAllowedRAMSpace=95.5\n", "ConstrainCore=yes\n"),
        (JOB_CONTAINER_CONF, "AutoBasePath=true\nNodeName=n1 BasePath=/scratch Dirs=/tmp\n", "BasePth=/x\n"),
    ],
)  # fmt: skip
def test_the_files_beside_it_are_read_by_the_same_grammar(grammar, text, unknown):
    assert parse(text, grammar, grammar.file).faults == []
    (fault,) = parse(unknown, grammar, grammar.file).faults
    assert (fault.file, fault.line, fault.suggestion is not None) == (grammar.file, 1, True)


TEXTS = [echo.path_of(name).read_bytes().decode() for name in echo.names() if name not in ("included", "large")]
PIECES = st.sampled_from(
    ["", "=", "#", "\\", '"', " ", "\n", "[", "]", "-", ",", "0", "x", "ALL", "DEFAULT", "\t", "é", "%c"]
)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        length = draw(st.integers(0, 6))
        text = text[:start] + draw(PIECES) + text[start + length :]
    return text


@settings(max_examples=100, deadline=None)
@given(mutated())
def test_a_mutated_file_is_taken_or_refused_with_file_and_line(text):
    conf = parse_slurm_conf(text, "/nowhere/slurm.conf")
    try:
        interpret(conf, HOST, [])
    except ConfigError as refused:
        assert refused.all
        for each in refused.all:
            assert (
                each.file == "/nowhere/slurm.conf" and each.line and re.match(r"/nowhere/slurm.conf:\d+: ", str(each))
            )


def test_check_config_tells_what_is_wrong_and_what_will_differ():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "slurm.conf"
        path.write_text("KilWait=3\nResvProlog=/x.sh\nPrivateData=none\nSlurmdDebug=info\nNodeName=a Gres=gpu:1\n")
        (path.parent / "cgroup.conf").write_text("ConstrainCore=yes\n")
        done = CliRunner().invoke(command, [str(path)])
    told = done.output.replace(f"{folder}/", "")
    assert done.exit_code == 1
    assert "2 wrong:\n  slurm.conf:1: KilWait = '3': unknown key; did you mean KillWait?\n  cgroup.conf:1:" in told
    assert "slurm.conf:2: ResvProlog = '/x.sh': no program is run at that moment yet" in told
    assert "slurm.conf:5: NodeName Gres = 'gpu:1'" in told and "PrivateData" not in told


def test_check_config_is_content_with_a_good_file():
    done = CliRunner().invoke(command, [str(echo.path_of("minimal"))])
    assert (done.exit_code, done.output) == (0, f"{echo.path_of('minimal')}: FLURM starts on it.\n")


def test_the_page_of_keys_is_the_one_that_the_tables_make():
    assert replaced(PAGE.read_text()) == PAGE.read_text()


def test_every_key_that_flurm_reads_is_one_that_slurm_has():
    from flurm.config import settings as own

    named = {"": own.CLUSTER, "NodeName": own.NODE, "PartitionName": own.PARTITION}
    tables = {"": SLURM_CONF.keys} | {name: record.keys for name, record in SLURM_CONF.records.items()}
    for kind, keys in named.items():
        known = {each.name for each in tables[kind]}
        assert {each.slurm for each in keys if each.slurm} - known == set()
