"""The contracts that exist, and the Tinker one."""

import pytest

from tinker_mock.contracts import Contract, load_contract
from tinker_mock.contracts.bundle import CONTRACTS, NAMES

WRITTEN = [name for name in NAMES if (CONTRACTS / name / "openapi.yaml").exists()]


@pytest.fixture(scope="session", params=WRITTEN)
def contract(request: pytest.FixtureRequest) -> Contract:
    return load_contract(request.param)


@pytest.fixture(scope="session")
def tinker() -> Contract:
    return load_contract("tinker")
