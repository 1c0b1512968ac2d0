"""Host lists, compared with ClusterShell where the two grammars agree."""

import time

import pytest
from ClusterShell.NodeSet import NodeSet
from hypothesis import given
from hypothesis import strategies as st

from protocol.hostlist import HostlistError, count, expand, fold

NAMES = st.lists(
    st.builds(
        lambda prefix, number: f"{prefix}{number}",
        st.sampled_from(("n", "gpu", "rack1-node")),
        st.one_of(st.integers(0, 120), st.integers(0, 99).map("{:03d}".format)),
    ),
    max_size=40,
)


@pytest.mark.parametrize(
    ("text", "names"),
    (
        ("", []),
        ("n1", ["n1"]),
        ("n[1-3]", ["n1", "n2", "n3"]),
        ("n[08-11]", ["n08", "n09", "n10", "n11"]),
        ("n[1-3,07-09],login", ["n1", "n2", "n3", "n07", "n08", "n09", "login"]),
        ("r[1-2]n[3-4]", ["r1n3", "r1n4", "r2n3", "r2n4"]),
        ("n1,n1", ["n1", "n1"]),
        ("n[9-010]", ["n9", "n10"]),
        ("[1-2]", ["1", "2"]),
        (None, []),
    ),
)
def test_a_host_list_means_these_names(text, names):
    assert expand(text) == names
    assert count(text) == len(names)


@pytest.mark.parametrize(
    ("names", "text"),
    (
        ([], ""),
        (["login"], "login"),
        (["n1"], "n1"),
        (["n1", "n2", "n3"], "n[1-3]"),
        (["n3", "n1", "n2", "n1"], "n[1-3]"),
        (["n1", "n3"], "n[1,3]"),
        (["n09", "n10", "n11"], "n[09-11]"),
        (["n9", "n10", "n11"], "n[9-11]"),
        (["n1", "login", "n2"], "n[1-2],login"),
        (["n1", "n2", "n3", "n10", "n01", "n02", "n099", "n100"], "n[1-3,01-02,10,099-100]"),
        (["r1n1", "r1n2", "r2n1"], "r1n[1-2],r2n1"),
    ),
)
def test_names_fold_to_the_usual_text(names, text):
    assert fold(names) == text


@given(NAMES)
def test_folding_loses_no_name(names):
    assert sorted(expand(fold(names))) == sorted(set(names))
    assert count(fold(names)) == len(set(names))


@given(NAMES)
def test_clustershell_reads_our_text_and_we_read_its(names):
    assert set(NodeSet(fold(names))) == set(names)
    assert set(expand(str(NodeSet(",".join(names))))) == set(names)


@pytest.mark.parametrize(
    "text", ("n[1-2", "n]1", "n[]", "n[1,,2]", "n[3-1]", "n[a]", "n[1-2-3]", "n[-1]", "n[1-]", "n[[1]]")
)
def test_text_that_is_no_host_list_is_refused(text):
    with pytest.raises(HostlistError):
        expand(text)


@pytest.mark.parametrize("text", ("n[0-99999999]", "a[1-9999]b[1-9999]", "n[0-999999999999999999999999999999]"))
def test_a_host_list_of_absurd_size_is_refused_at_once(text):
    with pytest.raises(HostlistError):
        expand(text)


@given(st.text(alphabet="n0129[],-", max_size=30))
def test_any_text_gives_names_or_an_error(text):
    try:
        names = expand(text)
    except HostlistError:
        return
    assert len(names) == count(text)


def test_time_is_linear_in_the_names():
    names = [f"node{number:06d}" for number in range(100_000)]
    started = time.perf_counter()
    assert fold(reversed(names)) == "node[000000-099999]"
    assert expand("node[000000-099999]") == names
    assert time.perf_counter() - started < 5
