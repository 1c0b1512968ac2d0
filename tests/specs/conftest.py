"""What the tests of the specs need."""

import pytest

from specs import tlc


@pytest.fixture(scope="session")
def tlc_is_here() -> None:
    """Skips where TLC or Java is not installed."""
    try:
        tlc.find()
    except tlc.NoTlc as error:
        pytest.skip(str(error))
