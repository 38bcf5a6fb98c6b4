"""`import tinker` gives this project's client."""

from tinker_mock.client import compat

compat.install()
