"""The configuration arrives in the core whole, and its fingerprint changes when it does."""

import msgspec

from flurm.bridge import configure
from flurm.config.records import Config, NodeConfig, PartitionConfig
from flurm.core.apply import apply
from flurm.core.commands import decode, encode
from flurm.core.enums import NodeFlag, NodeState, PartitionState
from flurm.core.record import UNLIMITED
from flurm.core.records import Cluster
from tests.bridge.sent import CONFIG, SLURM


def configured(config: Config) -> Cluster:
    made = configure.command(config, now_s=5, keep_changes=False)
    return apply(Cluster(), decode(encode(made))).cluster


def test_nodes_and_partitions_are_as_configured():
    state = configured(CONFIG)
    node, debug, long = state.nodes["n3"], state.partitions["debug"], state.partitions["long"]
    assert (node.cpus, node.cores_per_socket, node.real_memory_mib, node.features) == (4, 4, 4000, ("f1", "f2"))
    assert (node.hostname, node.address, node.state, node.index) == ("n3", "n3", NodeState.UNKNOWN, 2)
    assert (debug.node_mask, debug.is_default, debug.max_time_min) == (0b1111, True, UNLIMITED)
    assert (long.node_mask, long.is_default, long.max_time_min, long.state) == (0b1100, False, 600, PartitionState.UP)


def test_settings_follow_the_configuration():
    settings = configured(CONFIG).settings
    assert (settings.cluster_name, settings.slurm_user_id) == ("cluster1", SLURM)
    assert (settings.default_memory_per_cpu_mib, settings.memory_is_consumed) == (50, True)
    other = msgspec.structs.replace(
        CONFIG, select_type_parameters="CR_CPU", scheduler_parameters="enable_user_top", priority_type="priority/basic",
        over_time_limit=None,
    )  # fmt: skip
    settings = configured(other).settings
    assert (settings.memory_is_consumed, settings.user_may_top, settings.priority_type) == (False, True, "basic")
    assert settings.over_time_limit_min == UNLIMITED


def test_states_of_nodes_and_sharing_of_partitions_have_their_words():
    state = configured(
        Config(
            nodes=(
                NodeConfig(name="a", state="DOWN", reason="gone"),
                NodeConfig(name="b", state="DRAIN", reason="fan"),
                NodeConfig(name="c", state="FUTURE"),
            ),
            partitions=(
                PartitionConfig(name="p", nodes=("a",), over_subscribe="FORCE:2", state="DRAIN"),
                PartitionConfig(name="q", nodes=("b",), over_subscribe="EXCLUSIVE"),
            ),
        )
    )
    assert (state.nodes["a"].state, state.nodes["a"].reason) == (NodeState.DOWN, "gone")
    assert (state.nodes["b"].flags, state.nodes["b"].reason) == (NodeFlag.DRAIN, "fan")
    assert state.nodes["c"].state is NodeState.FUTURE
    assert (state.partitions["p"].over_subscribe, state.partitions["p"].max_share) == ("FORCE", 2)
    assert state.partitions["p"].state is PartitionState.DRAIN
    assert state.partitions["q"].over_subscribe == "EXCLUSIVE"


def test_the_fingerprint_tells_what_matters_from_what_does_not():
    def fingerprint(config: Config, now_s: int = 5) -> str:
        return configure.command(config, now_s=now_s, keep_changes=True).fingerprint

    assert fingerprint(CONFIG) == fingerprint(CONFIG, 6)
    assert fingerprint(CONFIG) == fingerprint(msgspec.structs.replace(CONFIG, http_port=1))
    assert fingerprint(CONFIG) != fingerprint(msgspec.structs.replace(CONFIG, kill_wait=1))
    assert fingerprint(CONFIG) != fingerprint(msgspec.structs.replace(CONFIG, nodes=CONFIG.nodes[:3]))
