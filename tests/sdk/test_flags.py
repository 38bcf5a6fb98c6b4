"""With every flag of the client configuration on, the same script sees the same numbers."""

from typing import Any

import pytest

from tests.sdk.running import run_script
from tinker_mock.suite.sdk.environment import newest

FLAGS = (
    "pjwt_auth_enabled",
    "proto_write_fwdbwd",
    "proto_compress_fwdbwd",
    "fwd_via_fwdbwd",
    "create_model_via_load_weights",
    "sample_use_retrieve_futures",
    "sample_join_sampling_session",
    "custom_loss_server_side",
)
OPERATIONS = {
    "0.24.1": {"create_auth_token", "load_weights"},
    newest(): {"create_auth_token", "load_weights", "retrieve_futures"},
}


@pytest.mark.tinker_mock(
    client_config=dict.fromkeys(FLAGS, True), dynamic_config={"sample_cancel_enabled": True}
)
@pytest.mark.parametrize("version", OPERATIONS)
def test_flags_change_the_dialect_and_nothing_else(version: str, tinker_mock: Any) -> None:
    seen = run_script(version, "training_script.py", tinker_mock.url)
    entries = list(tinker_mock.app.state.mock.control.journal.entries)
    used = {entry.operation for entry in entries}

    assert seen["losses"] == sorted(seen["losses"], reverse=True)
    assert seen["forward"] == seen["resumed"]
    assert OPERATIONS[version] <= used
    assert "forward" not in used, "forward goes through forward_backward"
    assert [entry for entry in entries if entry.violations] == []
