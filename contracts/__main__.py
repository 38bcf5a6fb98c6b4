"""`python -m contracts`: renew the bundles (what `make contract` runs)."""

from contracts.bundle import CONTRACTS, write_bundles

for path in write_bundles():
    print(path.relative_to(CONTRACTS.parent))
