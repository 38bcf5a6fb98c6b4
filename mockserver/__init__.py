"""The simulator: a Starlette app whose routes, validation and errors come from the contracts."""
