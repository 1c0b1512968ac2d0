"""What the simulation has found, told small."""

from types import SimpleNamespace

import pytest

from actors.net.forwarding import Forwarded, Forwarder, NobodyInCharge
from actors.net.peers import PeerGone
from flurm.raft.records import Configuration


class Time:
    now_s = 0.0

    def monotonic(self):
        return self.now_s

    def sleep(self, seconds):
        self.now_s += seconds


def forwarder(sent):
    """One whose leader dies at the first request, after it was sent or before, and has no successor."""
    terms = {"in_charge": False, "leader": "c2", "members": Configuration(voters=("c1", "c2"))}

    def call(*_):
        terms["leader"] = None
        raise PeerGone("c2 is gone", sent=sent)

    return Forwarder("c1", SimpleNamespace(call=call), terms, 10.0, Time())


@pytest.mark.parametrize("sent", [True, False])
def test_it_is_known_whether_a_request_may_have_been_carried_out_by_a_leader_that_died(sent):
    request = Forwarded("c1/1", b"", 0, 0, ("", 0))
    with pytest.raises(NobodyInCharge) as caught:
        forwarder(sent).ask(request, through_others=False)
    assert caught.value.begun is sent
