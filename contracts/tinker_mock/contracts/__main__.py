"""`python -m tinker_mock.contracts`: renew the bundles (what `make contract` runs)."""

from tinker_mock.contracts.bundle import write_bundles
from tinker_mock.contracts.locations import CONTRACTS

for path in write_bundles():
    print(path.relative_to(CONTRACTS.parent))
