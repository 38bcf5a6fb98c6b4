"""Clock cycles under the real SDK: what a loop that waits for each result takes."""

import pytest

from tests.sdk.running import run_script
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings
from tinker_mock.suite.sdk.environment import newest


@pytest.mark.parametrize("release", ["0.7.0", newest()])
@pytest.mark.parametrize("told", [{"cycle": 10.0}, {"scenario": "clock-cycles"}])
def test_waiting_takes_three_cycles_a_step_and_submitting_first_one(
    release: str, told: dict[str, float | str]
) -> None:
    with RunningServer(Settings(port=0, clock="auto", **told)) as server:  # type: ignore[arg-type]
        found = run_script(release, "cycles_script.py", server.url)
    assert found == {"waiting": [3, 3], "pipelined": [1, 1]}
