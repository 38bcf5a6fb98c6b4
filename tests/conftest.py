"""What holds for all tests."""

from hypothesis import HealthCheck, settings

# No dice and no stop watch: what was green stays green, however busy the machine is.
# `pytest --hypothesis-profile=default` looks for new examples.
settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")
