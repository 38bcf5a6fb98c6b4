"""Mutants: ways to break exactly one rule, so that each conformance check is proved to fail."""

from tinker_mock.server.mutants.mutant import Mutant, MutantError
from tinker_mock.server.mutants.table import ActiveMutants, load_mutants

__all__ = ["ActiveMutants", "Mutant", "MutantError", "load_mutants"]
