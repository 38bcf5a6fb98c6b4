"""Clients as targets: any program run against the mock and judged from its journal."""
