"""What is shown through the real SDK is remembered, each prompt's own."""

from typing import Any

import pytest

from tests.sdk.running import run_script
from tinker_mock.suite.sdk.environment import newest


@pytest.mark.parametrize("version", ["0.24.1", newest()])
def test_questions_rewards_pictures_and_forgetting(version: str, tinker_mock: Any) -> None:
    seen = run_script(version, "memory_script.py", tinker_mock.url)

    assert seen["four"]["right"] == 4
    assert seen["many"]["right"] == 64
    assert seen["eight"]["right"] == 8
    assert max(seen[name]["steps"] for name in ("four", "many", "eight")) < 120
    assert seen["short"]
    assert seen["kept"] == [False] * 2 + [True] * 6
    for loss in ("importance_sampling", "ppo"):
        assert min(seen[loss]) > 0.9
    assert seen["pictures"]
