"""What this client uploads for a loss, traced without torch, is what the SDK uploads."""

from typing import Any

from tests.sdk.running import run_script
from tests.sdk.traced_losses import losses
from tinker_mock.client.losses.arrays import array_namespace
from tinker_mock.client.losses.handle import traced
from tinker_mock.client.types.json import encode
from tinker_mock.suite.sdk.environment import newest


def test_graphs_are_equal_node_for_node() -> None:
    theirs = run_script(newest(), "loss_graphs_script.py", "http://127.0.0.1:9")
    mine: dict[str, Any] = {
        name: encode(traced(loss, ranks, "session").graph)
        for name, (loss, ranks) in losses(array_namespace).items()
    }
    assert set(theirs) == set(mine)
    for name, graph in theirs.items():
        assert mine[name] == graph, name
