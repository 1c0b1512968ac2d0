"""A node whose daemon has found fewer generic resources than configured is drained, in Slurm's words.

The accounts are those of real slurmd 22.05 and 24.11 with `NodeName=n1 Gres=gpu:a100:2,craynic:3` and a gres.conf.
"""

import pytest

from actors.node_daemon import registration
from actors.node_daemon.settings import Settings
from flurm.bridge import node_gres
from flurm.node import inventory
from protocol.codec import pack
from protocol.versions import Version

GPU = "438a34d4000000000000000100000002000009e6007570670000000000000000000000046770750000000005613130300000000000"
NIC = "438a34d400000000000000030000000200000000" + "79c4dbd1000000000000000000000008637261796e6963000000000000000000"
GRES = "gpu:a100:2,craynic:3"


def account(version: int, *records: str) -> bytes:
    return version.to_bytes(2, "big") + len(records).to_bytes(2, "big") + bytes.fromhex("".join(records))


@pytest.mark.parametrize("version", [Version.V22_05, Version.V24_11])
@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ((GPU, GPU, NIC), None),
        ((GPU, NIC), "gres/gpu count reported lower than configured (1 < 2)"),
        ((NIC,), "gres/gpu count reported lower than configured (0 < 2)"),
        ((GPU, GPU), "gres/craynic count reported lower than configured (0 < 3)"),
        ((), "gres/gpu count reported lower than configured (0 < 2)"),
    ],
)
def test_what_is_missing_is_named_with_both_counts(version, records, reason):
    assert node_gres.shortage(GRES, account(version, *records), version) == reason


@pytest.mark.parametrize("text", [None, ""])
def test_a_node_that_needs_none_lacks_none(text):
    assert node_gres.shortage(text, b"", Version.V24_11) is None


def test_an_account_that_cannot_be_read_is_one_of_nothing():
    assert "(0 < 2)" in node_gres.shortage(GRES, b"\x26\x00\x00\x09rubbish", Version.V22_05)


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("gpu", {("gpu", None): 1}),
        ("gpu:2", {("gpu", None): 2}),
        ("gpu:a100:2(S:0-1),gpu:v100:1", {("gpu", "a100"): 2, ("gpu", "v100"): 1}),
        ("bandwidth:lustre:no_consume:4G", {("bandwidth", "lustre"): 4 << 30}),
        ("gpu:a100", {("gpu", "a100"): 1}),
    ],
)
def test_a_nodes_gres_is_counted_as_slurm_counts_it(text, counts):
    assert node_gres.configured(text) == counts


def test_flurmd_takes_what_its_node_is_configured_to_have_for_granted():
    told = pack(node_gres.found_list(GRES, 2, Version.V24_11), Version.V24_11)
    assert node_gres.shortage(GRES, told, Version.V24_11) is None
    assert bytes.fromhex(NIC) in told, "as slurmd without a gres.conf tells it"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [({"gres": GRES}, GRES), ({"joins_with": "Feature=x Gres=gpu:2", "gres": None}, "gpu:2"), ({}, None)],
)
def test_what_flurmd_registers_is_what_its_node_is_said_to_have(given, wanted):
    settings = Settings(node_name="n1", hostname="n1", spool_dir="", controllers=(), **given)
    told = registration.registration(
        settings, inventory.hardware(), (), Version.V24_11, started_s=1, now_s=1, first=True
    )
    assert node_gres.shortage(wanted, told.gres_info, Version.V24_11) is None
    assert node_gres.shortage("nic:1", told.gres_info, Version.V24_11) is not None
