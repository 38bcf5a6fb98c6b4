"""Which SDK release sends and reads what: read from the wheels, kept in `tinker/history.yaml`."""

from tinker_mock.contracts.history.surface import Surface, read_surface
from tinker_mock.contracts.history.timeline import (
    History,
    differences,
    fold,
    load_history,
    write_history,
)

__all__ = [
    "History",
    "Surface",
    "differences",
    "fold",
    "load_history",
    "read_surface",
    "write_history",
]
