"""What a refusal lacks when it is raised: the requirement it enforces and a way out.

Services name field, rule and fix where they know them. Here, in one table, stands which row of
the requirement ledger (`contracts/requirements`) a refusal of that kind belongs to.
"""

from tinker_mock.contracts import Operation
from tinker_mock.server.errors import ServiceError

REQUIREMENTS: dict[tuple[str, str], str] = {
    ("not_found", ""): "service/unknown-path/404",
    ("not_found", "*"): "errors/refusal/not-retried",
    ("not_found", "asample"): "errors/unknown-session/status",
    ("not_found", "cancel_future"): "futures/unknown/terminal",
    ("not_found", "create_model"): "models/create/unknown-session",
    ("not_found", "create_sampling_session"): "sampling/session/refusals",
    ("not_found", "export_session_trace"): "sessions/trace-export/unknown",
    ("not_found", "finish_session"): "sessions/finish/unknown",
    ("not_found", "forward"): "errors/unknown-model/named",
    ("not_found", "forward_backward"): "errors/unknown-model/named",
    ("not_found", "get_checkpoint_archive"): "checkpoints/archive/unknown",
    ("not_found", "get_info"): "models/info/unknown",
    ("not_found", "get_sampler"): "sampling/sampler/unknown",
    ("not_found", "get_session"): "sessions/get/unknown",
    ("not_found", "get_training_run"): "runs/get/unknown",
    ("not_found", "get_weights_info"): "weights/info/unknown",
    ("not_found", "list_run_checkpoints"): "checkpoints/list/unknown-run",
    ("not_found", "load_weights"): "weights/load/unknown-path",
    ("not_found", "optim_step"): "errors/unknown-model/named",
    ("not_found", "publish_checkpoint"): "checkpoints/publish/unknown",
    ("not_found", "retrieve_future"): "futures/unknown/404",
    ("not_found", "session_heartbeat"): "sessions/heartbeat/unknown",
    ("not_found", "set_checkpoint_ttl"): "checkpoints/ttl/unknown",
    ("method_not_allowed", "*"): "service/unknown-method/405",
    ("authentication", "*"): "auth/refusal/status",
    ("permission", "*"): "auth/isolation/work",
    ("bad_request", "*"): "errors/refusal/not-retried",
    ("bad_request", "create_model"): "models/create/unknown-base",
    ("conflict", "*"): "futures/repeat/other-body",
    ("conflict", "create_model"): "sessions/finish/no-more-models",
    ("contract", "*"): "client/wire/valid-requests",
    ("gone", "*"): "errors/refusal/not-retried",
    ("gone", "session_heartbeat"): "sessions/finish/heartbeat-gone",
    ("too_large", "*"): "errors/refusal/not-retried",
    ("unsupported_media_type", "*"): "errors/content-type/refused",
}
"""(kind of error, operation; `*` for the others, empty for none) -> row of the ledger."""

FIXES = {
    "not_found": "use an id that this API key was given",
    "method_not_allowed": "use a method of the path",
    "contract": "send what the rule expects",
    "conflict": "send the next request of the sequence",
    "gone": "start over with a new one",
    "bad_request": "correct the field and send the request again",
}


def add_hints(error: ServiceError, operation: Operation | None) -> None:
    """Fill in requirement, rule and fix where the raiser left them open."""
    name = operation.id if operation is not None else ""
    known = REQUIREMENTS.get((error.kind, name)) or REQUIREMENTS.get((error.kind, "*"), "")
    error.requirement = error.requirement or known
    error.rule = error.rule or f"see {operation.id} in the contract" if operation else error.rule
    error.fix = error.fix or _expected(error) or FIXES.get(error.kind, "")


def _expected(error: ServiceError) -> str:
    """The way out of a broken contract: what its first violation expected."""
    violations = error.details.get("violations")
    if not violations or violations[0]["expected"] is None:
        return ""
    rule, expected = violations[0]["rule"], violations[0]["expected"]
    return f"add {expected}" if rule == "required" else f"{rule}: {expected}"
