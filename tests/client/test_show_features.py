"""Our scontrol prints licenses and switches as Slurm's does."""

from flurm.bridge import show_licenses, show_topology
from flurm.client import show_features
from flurm.core.node_records import Switch
from flurm.core.records import Cluster, Settings

TREE = (Switch("s1", 0, "n[1-2]", link_speed=100), Switch("s2", 0, "n[3-4]"), Switch("top", 1, "n[1-4]", "s[1-2]"))
S1 = "SwitchName=s1 Level=0 LinkSpeed=100 Nodes=n[1-2]\n"
TOP = "SwitchName=top Level=1 LinkSpeed=1 Nodes=n[1-4] Switches=s[1-2]\n"


class Answering:
    """A controller that gives one answer."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def fetch(self, kind: type, msg_type: int, asked: object) -> object:
        assert isinstance(self.answer, kind)
        return self.answer


def switches(which: str | None, known: tuple[Switch, ...] = TREE) -> int:
    return show_features.topology(which, Answering(show_topology.response(Cluster(settings=Settings(switches=known)))))


def licenses(which: str | None, text: str | None, *, one_line: bool = False) -> int:
    shown = show_licenses.response(Cluster(settings=Settings(licenses=text)), 0)
    return show_features.licenses(which, Answering(shown), one_line=one_line)


def test_all_switches_the_one_named_or_those_above_a_node(capsys):
    assert switches("s1") == switches("n2") == 0
    assert capsys.readouterr().out == S1 + S1 + TOP


def test_a_name_that_is_no_switch_and_no_node(capsys):
    switches("n9")
    switches(None, ())
    assert capsys.readouterr().err == (
        "scontrol: error: Topology information contains no switch or node named n9\n"
        "scontrol: error: No topology information available\n"
    )


def test_licenses_over_two_lines_or_one(capsys):
    licenses(None, "matlab:4")
    licenses("ansys", "matlab:4,ansys:2", one_line=True)
    licenses(None, None)
    assert capsys.readouterr().out == (
        "LicenseName=matlab\n    Total=4 Used=0 Free=4 Reserved=0 Remote=no\n"
        "LicenseName=ansys Total=2 Used=0 Free=2 Reserved=0 Remote=no\n"
        "No licenses configured in Slurm.\n"
    )
