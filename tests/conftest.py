"""What holds for all tests."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, settings

from tinker_mock.suite.postgres import NoPostgres, postgres

# No dice and no stop watch: what was green stays green, however busy the machine is.
# `pytest --hypothesis-profile=default` looks for new examples.
settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    """The address of a PostgreSQL; skips with a sentence where there can be none."""
    with ExitStack() as stack:
        try:
            address = stack.enter_context(postgres()).address
        except NoPostgres as error:
            pytest.skip(str(error))
        yield address
