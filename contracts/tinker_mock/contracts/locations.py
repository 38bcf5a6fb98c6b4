"""Where the shipped data lies: `contracts/`, `fixtures/` and `examples/`.

In a checkout they are the folders at the top. A wheel carries copies below `tinker_mock/data/`,
so that nothing called `contracts` or `fixtures` can be imported from an installed package.
"""

from pathlib import Path

_INSTALLED = Path(__file__).parents[1] / "data"
ROOT = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).parents[3]
CONTRACTS = ROOT / "contracts"
FIXTURES = ROOT / "fixtures"
EXAMPLES = ROOT / "examples"
