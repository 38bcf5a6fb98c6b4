"""Where known clients differ, as one table.

A preset makes this client behave like another one wherever the difference can be seen, on the
wire or in a result. Each field says what it decides; `docs/client/presets.md` explains why.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tinker_mock.client.errors import invalid


@dataclass(frozen=True, slots=True)
class Preset:
    """One client's choices. Times are seconds, sizes bytes."""

    name: str
    sdk_version: str
    user_agent: str
    default_tags: tuple[str, ...] = ()

    # What is asked of the server before the first session.
    asks_client_config: bool = True
    asks_dynamic_config: bool = True
    session_user_metadata: Literal["empty", "null"] = "empty"

    # Request bodies.
    body_nulls: Literal["keep", "drop"] = "drop"
    body_defaults: Literal["send", "omit"] = "send"
    body_type: Literal["send", "omit"] = "send"
    always_sent: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    protobuf: Literal["never", "results", "always"] = "always"
    restore_operation: Literal["create_then_load", "load_weights"] = "load_weights"
    sampler_lookup: bool = True
    access_scope: Literal["owned"] | None = "owned"
    archive_accept: str = "application/json"
    model_info: Literal["at_creation", "on_demand"] = "at_creation"
    sampler_save: Literal["named", "ephemeral"] = "ephemeral"
    ephemeral_kind: Literal["snapshot", "inflight"] | None = "snapshot"
    finishes_sessions: bool = True

    # Telemetry.
    telemetry_platform: Literal["system", "kind"] = "system"
    telemetry_names_process: bool = True
    telemetry_without_session: bool = True

    # HTTP retries.
    http_timeout: float = 60.0
    http_max_retries: int = 10
    retry_after: Literal["any_status", "only_429"] = "any_status"
    retry_after_ceiling: float = 60.0
    submission_retry_window: float = 300.0

    # Polling.
    poll_timeout: float = 45.0
    repeat_failed_server_work: bool = False
    poll_bad_request_budget: int = 3
    poll_throttled: Literal["back_off", "fatal"] = "back_off"
    poll_waits: Literal["long_poll", "back_off"] = "long_poll"
    deadline_error: Literal["timeout", "last"] = "timeout"
    pauses_on_billing: bool = True
    poisons_after_lost_submission: bool = True
    unnamed_timeout_blames: Literal["server", "user"] = "server"
    crashed_await: Literal["as_is", "timeout"] = "as_is"

    # Sampling.
    unasked_prompt_logprobs: Literal["false", "left_out"] = "false"
    renumber_on_throttle: bool = False
    sample_submission: Literal["persistent", "single"] = "persistent"

    # Chunks of forward and forward_backward.
    bytes_per_token: int = 4
    tensor_bytes: Literal["exact", "ten_per_element"] = "exact"
    image_bytes: Literal["raw", "base64"] = "raw"
    chunk_submission: Literal["in_order", "first_last"] = "first_last"

    # Combination of metrics.
    hash_reduction: Literal["hash2", "hash_unordered"] = "hash2"
    unique_first_suffix: int = 1
    unknown_reduction: Literal["drop", "mean"] = "drop"
    metric_missing_somewhere: Literal["drop", "ignore"] = "drop"
    metric_without_suffix: Literal["reject", "mean"] = "reject"
    no_outputs: Literal["reject", "zero"] = "reject"

    # Server-sent events.
    sse_rules: Literal["whatwg", "tinkex"] = "whatwg"


PYTHON_LATEST = Preset(
    name="python-latest",
    sdk_version="0.38.0",
    user_agent="tinker-mock-client/Python 0.38.0",
    always_sent={
        "create_model": {"optimizer_config": {"type": "adamw"}},
        "save_weights": {"overwrite": False},
        "asample": {
            "topk_sample_logprobs": 0,
            "prompt_alt_tokens_k": 0,
            "record_stability_info": False,
        },
    },
)

PYTHON_0_24 = Preset(
    name="python-0.24",
    sdk_version="0.24.1",
    user_agent="tinker-mock-client/Python 0.24.1",
    asks_dynamic_config=False,
    always_sent={
        "save_weights": {"overwrite": False},
    },
    protobuf="results",
    restore_operation="create_then_load",
    sampler_lookup=False,
    model_info="on_demand",
    ephemeral_kind=None,
    finishes_sessions=False,
    poisons_after_lost_submission=False,
    bytes_per_token=10,
    tensor_bytes="ten_per_element",
    hash_reduction="hash_unordered",
)

PYTHON_0_7 = Preset(
    name="python-0.7",
    sdk_version="0.7.0",
    user_agent="tinker-mock-client/Python 0.7.0",
    asks_client_config=False,
    body_nulls="keep",
    body_defaults="omit",
    body_type="omit",
    always_sent={"create_sampling_session": {"base_model": None, "model_path": None}},
    protobuf="never",
    restore_operation="create_then_load",
    sampler_lookup=False,
    access_scope=None,
    archive_accept="application/json, application/gzip",
    model_info="on_demand",
    ephemeral_kind=None,
    finishes_sessions=False,
    telemetry_names_process=False,
    telemetry_without_session=False,
    poll_bad_request_budget=0,
    poll_throttled="fatal",
    pauses_on_billing=False,
    poisons_after_lost_submission=False,
    renumber_on_throttle=True,
    bytes_per_token=10,
    tensor_bytes="ten_per_element",
    chunk_submission="in_order",
    hash_reduction="hash_unordered",
)

TINKEX = Preset(
    name="tinkex",
    sdk_version="0.7.0",
    user_agent="tinker-mock-client/Tinkex 0.7.0",
    default_tags=("tinkex-elixir",),
    asks_client_config=False,
    session_user_metadata="null",
    body_nulls="keep",
    protobuf="never",
    restore_operation="create_then_load",
    sampler_lookup=False,
    model_info="on_demand",
    ephemeral_kind=None,
    access_scope=None,
    archive_accept="application/gzip",
    sampler_save="named",
    finishes_sessions=False,
    telemetry_platform="kind",
    telemetry_names_process=False,
    telemetry_without_session=False,
    retry_after="only_429",
    repeat_failed_server_work=True,
    poll_bad_request_budget=0,
    poll_throttled="fatal",
    poll_waits="back_off",
    deadline_error="last",
    unnamed_timeout_blames="user",
    crashed_await="timeout",
    pauses_on_billing=False,
    poisons_after_lost_submission=False,
    renumber_on_throttle=True,
    unasked_prompt_logprobs="left_out",
    sample_submission="single",
    bytes_per_token=10,
    tensor_bytes="ten_per_element",
    image_bytes="base64",
    chunk_submission="in_order",
    hash_reduction="hash_unordered",
    unique_first_suffix=2,
    unknown_reduction="mean",
    metric_missing_somewhere="ignore",
    metric_without_suffix="mean",
    no_outputs="zero",
    sse_rules="tinkex",
)

PRESETS = {preset.name: preset for preset in (PYTHON_LATEST, PYTHON_0_24, PYTHON_0_7, TINKEX)}


def preset_named(name: str) -> Preset:
    """Look a preset up; an unknown name is the caller's error."""
    try:
        return PRESETS[name]
    except KeyError:
        known = ", ".join(sorted(PRESETS))
        raise invalid(f"unknown preset {name!r}; use one of {known}") from None
