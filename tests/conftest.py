"""What holds for all tests."""

from hypothesis import HealthCheck, settings

# The same examples in every run, however busy the machine: what was green stays green.
# `pytest --hypothesis-profile=default` looks for new ones.
settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")
