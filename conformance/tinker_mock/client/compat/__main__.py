"""`python -m tinker_mock.client.compat`: say where `tinker` is this client."""

from tinker_mock.client.compat import path

print(path())
