"""Host lists, compared with what real `scontrol show` printed and with ClusterShell where the two grammars agree."""

import json
import time
from pathlib import Path

import pytest
from ClusterShell.NodeSet import NodeSet
from hypothesis import given
from hypothesis import strategies as st

from protocol import hostlist
from protocol.hostlist import (
    HostlistError,
    contains,
    count,
    difference,
    expand,
    fold,
    fold_sorted,
    intersect,
)

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "hostlists" / "scontrol.json").read_text())
"""What `scontrol show hostnames|hostlist|hostlistsorted TEXT` of 24.11 printed (null: refused), and of 22.05 where it
printed something else."""

REFUSED_HERE = {
    "n]1": "brackets that do not pair are a slip of the pen",
    "]": "the same",
    "n[1,2]],n3": "the same; 22.05 refuses it too",
    "n[[1]]": "the same; 22.05 refuses it too",
    "n[+1]": "a sign is no digit",
}
TAKEN_HERE = {
    "n[1-100000]": "a range may be longer than 65536",
    "n[1-65537]": "the same",
    "n[0-65536]": "the same",
    "n[18446744073709551614-18446744073709551615]": "the largest numbers count like all others",
}
NOT_CUT_HERE = ("n999999999999999999999", "n[99999999999999999999]", "n18446744073709551616")
"""Numbers above 64 bits, for which Slurm puts the largest one of 64 bits."""
FOLDED_BY_NAME = ("n[1-2][3-4]", "a[1-2][1-2][1-2]", "a1b2c3[4-5]", "n[1-2]m3,n1m4")
"""Slurm remembers where the bracket stood when the text was read; names alone do not tell."""
DIFFERENT = {*REFUSED_HERE, *TAKEN_HERE, *NOT_CUT_HERE, *FOLDED_BY_NAME}

NAMES = st.lists(
    st.builds(
        lambda prefix, number: f"{prefix}{number}",
        st.sampled_from(("n", "gpu", "rack1-node")),
        st.one_of(st.integers(0, 120), st.integers(0, 99).map("{:03d}".format)),
    ),
    max_size=40,
)
ANY_TEXT = st.text(alphabet="n0129[],- ", max_size=30)


@pytest.mark.parametrize("row", [row for row in RECORDED if row["text"] not in DIFFERENT], ids=lambda row: row["text"])
def test_a_host_list_means_and_folds_to_what_scontrol_says(row):
    if row["hostnames"] is None:
        with pytest.raises(HostlistError):
            expand(row["text"])
        return
    names = expand(row["text"])
    assert names == row["hostnames"]
    assert count(row["text"]) == len(names)
    assert fold(names) == row["hostlist"]
    assert fold_sorted(names) == row["hostlistsorted"]


@pytest.mark.parametrize("text", REFUSED_HERE)
def test_text_that_scontrol_takes_by_accident_is_refused(text):
    assert recorded(text)["hostnames"] is not None
    with pytest.raises(HostlistError):
        expand(text)


@pytest.mark.parametrize("text", TAKEN_HERE)
def test_ranges_that_scontrol_can_not_print_are_taken(text):
    assert recorded(text)["hostnames"] is None
    assert fold(expand(text)) == text


@pytest.mark.parametrize("text", NOT_CUT_HERE)
def test_a_number_above_64_bits_stays_as_it_is_written(text):
    assert expand(text) == [text.replace("[", "").replace("]", "")] == [fold(expand(text))]


@pytest.mark.parametrize("text", FOLDED_BY_NAME)
def test_names_fold_at_their_last_number_wherever_brackets_once_stood(text):
    row = recorded(text)
    assert expand(text) == row["hostnames"]
    assert expand(fold(expand(text))) == row["hostnames"]


def recorded(text):
    return next(row for row in RECORDED if row["text"] == text)


def test_nothing_is_an_empty_list():
    assert expand(None) == expand("") == []
    assert count(None) == 0
    assert fold([]) == fold_sorted([]) == ""


def test_who_wants_each_name_once_passes_a_set():
    assert fold_sorted({"n3", "n1", "n2"}) == "n[1-3]"


@given(NAMES)
def test_folding_keeps_every_name_in_its_place(names):
    assert expand(fold(names)) == names
    assert count(fold(names)) == len(names)


@given(NAMES)
def test_sorting_loses_no_name_and_needs_no_order(names):
    assert sorted(expand(fold_sorted(names))) == sorted(names)
    assert fold_sorted(names) == fold_sorted(reversed(names))


@given(NAMES)
def test_clustershell_reads_our_text_and_we_read_its(names):
    assert set(NodeSet(fold(names))) == set(NodeSet(fold_sorted(names))) == set(names)
    assert set(expand(str(NodeSet(",".join(names))))) == set(names)


@given(NAMES, NAMES)
def test_what_two_lists_share_is_what_clustershell_finds(names, others):
    ours, theirs = fold(names), fold(others)
    assert set(intersect(ours, theirs)) == set(NodeSet(ours) & NodeSet(theirs))
    assert set(difference(ours, theirs)) == set(NodeSet(ours) - NodeSet(theirs))


def test_what_two_lists_share_keeps_order_and_duplicates_of_the_first():
    assert intersect("n[3,1-2,1]", "n[1,3]") == ["n3", "n1", "n1"]
    assert difference("n[3,1-2,1],login", "n[1,3]") == ["n2", "login"]


@given(ANY_TEXT, st.text(alphabet="n0129", max_size=6))
def test_a_list_contains_the_names_that_it_expands_to(text, other):
    try:
        names = expand(text)
    except HostlistError:
        return
    for name in (*names[:20], other):
        assert contains(text, name) == (name in names)


@pytest.mark.parametrize(
    ("text", "there", "not_there"),
    (
        ("n[1-10000],login", ("n1", "n10000", "login"), ("n0", "n01", "n10001", "n", "n1x", "m1", "")),
        ("n[01-3]-ib", ("n01-ib", "n03-ib"), ("n1-ib", "n01", "n-ib", "n01-i")),
        ("r[1-2]n[01-20]", ("r1n01", "r2n20"), ("r3n01", "r1n1", "r1n21", "rn")),
        ("[08-100]", ("08", "99", "100"), ("8", "008", "101")),
    ),
)
def test_a_name_is_found_without_a_look_at_all_others(text, there, not_there):
    assert all(contains(text, name) for name in there)
    assert not any(contains(text, name) for name in not_there)


@pytest.mark.parametrize(
    ("text", "message"),
    (
        ("n[3-1]", "the range '3-1' runs backwards at character 3, near 'n[3-1]'"),
        ("a,n[1,x]", "'x' is neither a number nor a range at character 7, near 'a,n[1,x]'"),
        ("login,n[1-2", "a bracket without its end at character 8, near 'login,n[1-2'"),
        ("n[1-2]]", "a closing bracket too many at character 7, near 'n[1-2]]'"),
        ("n[0-99999999]", "more than 1048576 hosts in 'n[0-99999999]'"),
    ),
)
def test_an_error_says_what_is_wrong_and_where(text, message):
    with pytest.raises(HostlistError) as caught:
        expand(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "text",
    (
        "n[0-99999999]",
        "a[1-9999]b[1-9999]",
        "n[0-999999999999999999999999999999]",
        "n" + "[0-9]" * 200,
        "n[" + "0" * 300 + "1-9]",
        "n[1-1048576],m",
        "x" * 300 + "[1-9]",
        "n[" + "9" * 10_000 + "]",
    ),
    ids=lambda text: text[:20],
)
def test_a_host_list_of_absurd_size_is_refused_at_once(text):
    for read in (expand, count, lambda text: contains(text, "n1")):
        with pytest.raises(HostlistError):
            read(text)


@given(ANY_TEXT)
def test_any_text_gives_names_or_an_error(text):
    try:
        names = expand(text)
    except HostlistError:
        return
    assert len(names) == count(text)
    assert expand(fold(names)) == names


@pytest.mark.parametrize(
    "text",
    ("n[1]," * 20_000, "n[" + "1," * 50_000 + "1]", "n," * 100_000, "[" * 100_000, "n[1" * 50_000, "n]" * 50_000),
    ids=lambda text: text[:6],
)
def test_a_long_text_takes_time_linear_in_its_length(text):
    started_s = time.thread_time()
    try:
        expand(text)
    except HostlistError as error:
        assert len(str(error)) < 200
    assert time.thread_time() - started_s < 2


def test_time_is_linear_in_the_names():
    names = [f"node{number:06d}" for number in range(100_000)]
    started_s = time.thread_time()
    assert fold(names) == fold_sorted(reversed(names)) == "node[000000-099999]"
    assert expand("node[000000-099999]") == names
    assert time.thread_time() - started_s < 5


def test_the_limits_are_those_that_the_module_names():
    assert count(f"n[1-{hostlist.MAX_HOSTS}]") == hostlist.MAX_HOSTS
    assert len(expand("x" * (hostlist.LONGEST_NAME - 1) + "[1]")[0]) == hostlist.LONGEST_NAME


@pytest.mark.parametrize("length", [hostlist.LONGEST_NAME - 1, hostlist.LONGEST_NAME, hostlist.LONGEST_NAME + 40])
def test_names_too_long_for_an_expression_are_not_folded_into_one(length):
    names = ["x" * (length - 1) + "8", "x" * (length - 1) + "9", "x" * (length - 1) + "10"]
    assert expand(fold(names)) == names
    assert sorted(expand(fold_sorted(names[::-1]))) == sorted(names)
