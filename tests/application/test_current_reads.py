"""What must be current is answered by a controller that knows that it leads, or not at all."""

import pytest

from protocol.constants import MessageType
from protocol.errno import Errno
from protocol.messages import NodeInfoRequest, PartitionInfoRequest
from tests.application.controllers import until
from tests.application.three import NAMES, Three
from tests.faults.daemons import Refused


def test_a_leader_that_has_lost_the_others_tells_nothing_that_must_be_current(tmp_path):
    timing = {"raft_election_timeout": [1500, 3000], "raft_clock_drift_bound": 0.1, "message_timeout": 2}
    with Three(tmp_path, **timing) as cluster:
        c1, c2 = cluster.client("c1"), cluster.client("c2")
        for client in (c1, c2):
            assert client.ask(MessageType.REQUEST_NODE_INFO, NodeInfoRequest()) is not None
        cluster.controllers["c2"].system.env["members"].take_over()
        until(lambda: {cluster.leader(name) for name in NAMES} == {"c2"})
        cluster.controllers["c2"].peering.peers.close()
        assert c2.ask(MessageType.REQUEST_PARTITION_INFO, PartitionInfoRequest()) is not None, "may be a moment old"
        with pytest.raises(Refused) as refused:
            c2.ask(MessageType.REQUEST_NODE_INFO, NodeInfoRequest())
        assert refused.value.code == Errno.ESLURM_IN_STANDBY_MODE
        until(lambda: cluster.leader("c1") == cluster.leader("c3") in ("c1", "c3"))
        assert c1.ask(MessageType.REQUEST_NODE_INFO, NodeInfoRequest()) is not None
