"""The wire, described once, and the loader that everything else derives from."""

from tinker_mock.contracts.loader import Contract, load_contract
from tinker_mock.contracts.operation import Alias, NotInRelease, Operation, Parameter
from tinker_mock.contracts.versions import SdkRange, parse_release
from tinker_mock.contracts.violations import Violation

__all__ = [
    "Alias",
    "Contract",
    "NotInRelease",
    "Operation",
    "Parameter",
    "SdkRange",
    "Violation",
    "load_contract",
    "parse_release",
]
