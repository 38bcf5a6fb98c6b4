"""Ways to be wrong on purpose: mutants of answers at the edge, and faults in the code itself."""

from tinker_mock.server.mutants.fault import Fault, load_faults
from tinker_mock.server.mutants.mutant import Mutant, MutantError
from tinker_mock.server.mutants.table import ActiveMutants, load_mutants

__all__ = ["ActiveMutants", "Fault", "Mutant", "MutantError", "load_faults", "load_mutants"]
