"""A custom loss trains the same on the server as in the client, under the real SDK."""

from typing import Any

import pytest

from tests.sdk.running import run_script
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings
from tinker_mock.suite.sdk.environment import newest

SHARED = ("loss:sum", "custom/ratio:mean", "custom/clipped:sum", "unclipped_grad_l2:mean")


def trained(on_the_server: bool) -> dict[str, Any]:
    """What the script saw with the flag on or off."""
    flags = {"custom_loss_server_side": on_the_server}
    with RunningServer(Settings(port=0, client_config=flags)) as server:
        return run_script(newest(), "custom_loss_script.py", server.url)


def test_the_server_trains_as_the_client_does() -> None:
    here, there = trained(on_the_server=False), trained(on_the_server=True)
    assert here["loss_id"] is None
    assert there["loss_id"]
    for mine, theirs in zip(here["steps"], there["steps"], strict=True):
        for name in SHARED:
            # The client gets log-probabilities in float32, hence not to the last digit.
            assert theirs[name] == pytest.approx(mine[name], rel=1e-5, abs=1e-5), name
    moved = [step["custom/ratio:mean"] for step in there["steps"]]
    assert moved[0] != pytest.approx(moved[-1], rel=1e-3)
