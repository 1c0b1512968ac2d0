"""Node lists in the core's small reading of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flurm.core.names import BadNodeList, compress, expand, node_mask
from tests.sched.builders import cluster_of


def test_brackets_stand_for_every_number_with_its_zeros():
    assert expand("n[1-3,07],x,a[1-2]b[1-2]") == ["n1", "n2", "n3", "n07", "x", "a1b1", "a1b2", "a2b1", "a2b2"]


@pytest.mark.parametrize(
    "text", ["n[1", "n1]", "n[]", "n[2-1]", "n[a-b]", "n[1-]", "n[0-99999999]", "n[[1]]", "n[0-999][0-999]"]
)
def test_a_broken_or_boundless_list_is_refused(text):
    with pytest.raises(BadNodeList):
        expand(text)


@given(st.lists(st.sampled_from([f"n{i}" for i in range(20)] + ["n01", "n02", "login", "r1c2"]), max_size=12))
def test_what_was_folded_unfolds_to_the_same_names(names):
    assert expand(compress(names)) == names


def test_names_become_a_mask_of_the_nodes():
    cluster = cluster_of(nodes=4).state
    assert node_mask(cluster, "n[1,3]") == 0b101
    assert node_mask(cluster, "ALL") == 0b1111
    assert node_mask(cluster, None) == 0
    with pytest.raises(KeyError):
        node_mask(cluster, "n9")
