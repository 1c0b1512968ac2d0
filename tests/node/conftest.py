import pytest

from tests.node.node import Node, make_workplace


@pytest.fixture
def node():
    node = Node(make_workplace())
    yield node
    node.close()
