"""The wire, described once, and the loader that everything else derives from."""

from contracts.loader import Contract, load_contract
from contracts.operation import Alias, Operation, OutOfRange, Parameter
from contracts.versions import SdkRange, parse_release
from contracts.violations import Violation

__all__ = [
    "Alias",
    "Contract",
    "Operation",
    "OutOfRange",
    "Parameter",
    "SdkRange",
    "Violation",
    "load_contract",
    "parse_release",
]
