"""Where the contract and the history of the SDK say different things."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from tinker_mock.contracts.history.timeline import History
from tinker_mock.contracts.loader import Contract
from tinker_mock.contracts.protobuf import file_descriptor
from tinker_mock.contracts.versions import NEVER_IN_AN_SDK, SdkRange, parse_release

Range = tuple[str | None, str | None]
SINCE = re.compile(r"\bsince (\d+\.\d+)")

# Classes whose fields stand elsewhere in the contract: another component or an operation's query.
STANDS_IN = {
    "AdamOptimizerConfig": "OptimizerConfig",
    "DimuonOptimizerConfig": "OptimizerConfig",
    "OptimizerConfigBase": "OptimizerConfig",
    "DimuonParams": "OptimizerParams",
    "OptimParamsBase": "OptimizerParams",
    "TelemetryBatch": "TelemetrySendRequest",
    "SaveWeightsForSamplerResponseInternal": "SaveWeightsForSamplerResponse",
    "SaveWeightsExternalResponseInternal": "SaveWeightsExternalResponse",
}
QUERIES = {
    "GetBillingUsageRequest": "get_billing_usage",
    "GetCurrentCheckpointStorageUsageRequest": "get_checkpoint_storage_usage",
}
# Classes no JSON message carries.
NOT_JSON = {
    "ParsedCheckpointTinkerPath": "parsed in the client",
    "WhoamiResponse": "read out of the JWT",
    "PromptProvenanceSpan": "protobuf only",
    "SampledProvenanceSpan": "protobuf only",
    "PromptAltTokens": "protobuf only",
    "TopkLogprobs": "a nested list in JSON",
    "TopkPromptLogprobs": "a nested list in JSON",
    "SaveWeightsForSamplerResponse": "what the user gets, made from …Internal",
    "SaveWeightsExternalResponse": "what the user gets, made from …Internal",
}
# Fields that a class has and its JSON has not, or under another name.
FIELDS_ELSEWHERE = {
    "OptimStepRequest.optim_params": "adam_params or optimizer_params on the wire",
    "Datum.model_input_spans": "protobuf only",
    "Datum.loss_fn_input_spans": "protobuf only",
    "SampledSequence.sequence_id": "taken from the answer to asample",
    "SampleResponse.target_prompt_logprobs": "protobuf only",
    "SampleResponse.prompt_alt_tokens": "protobuf only",
}
# Fields that SDK code writes or reads past its classes.
PAST_THE_CLASS = {
    "OptimStepRequest.optimizer_params": "what optim_params becomes for other optimizers",
    "TryAgainResponse.queue_state_reason": "read out of the JSON for the log",
}
# Classes and fields that exist in more releases than their JSON is on the wire, or in fewer.
OTHER_RANGE = {
    "CheckpointArchiveUrlResponse": "up to 0.21 made from the redirect, not read as JSON",
    "ClientSessionFinishErrored": "0.27 to 0.35 write it as a plain dict",
    "ClientSessionFinishInterrupted": "0.27 to 0.35 write it as a plain dict",
    "ClientSessionFinishSuccess": "0.27 to 0.35 write it as a plain dict",
    "CopyWeightsRequest.model_seq_id": "0.34+ leave it out",
    "CopyWeightsRequest.session_id": "0.34+ leave it out",
    "CopyWeightsRequest.weights_access_token": "0.34+ send it as a header",
    "ForwardRequest": "0.25+ send forward_only instead",
    "OptimStepRequest.adam_params": "0.29+ write it when they serialise optim_params",
}
# Enumerations that the contract writes under another name or inline.
VALUES_ELSEWHERE = {
    "EventType": "the `event` constants of the telemetry events",
    "ClientSessionFinishReasonType": "SessionStatusQuery reasons",
    "CustomLossInputRank": "CustomLossInput.rank",
    "CustomLossNodeOp": "CustomLossNode.op",
    "SamplingClientKind": "SaveWeightsForSamplerRequest.kind",
    "CustomLossGraphFormat": "CustomLossGraph.format",
}


def disagreements(contract: Contract, history: History) -> list[str]:
    """One line for everything the two describe differently; empty when they agree."""
    return [
        *_operations(contract, history),
        *_fields(contract, history),
        *_unknown_fields(contract, history),
        *_values(contract, history),
        *_messages(history),
    ]


def _compare(name: str, ours: Range | None, theirs: SdkRange) -> Iterator[str]:
    wire = (theirs.since, theirs.until)
    if ours is None:
        yield f"{name}: in SDK {theirs}, not in the contract"
    elif ours != wire:
        yield f"{name}: contract says {SdkRange(*ours)}, the SDK {theirs}"


def _announced(since: str | None, history: History) -> bool:
    """Whether the contract has it from the documentation of a release that is yet to be read."""
    newest = parse_release(history.releases[-1])
    return since is not None and parse_release(since) > newest


def _template(path: str) -> str:
    path = re.sub(r"\{\w+\}", "{}", path)
    return re.sub(r"checkpoints/(\{\}|external_weights)/\{\}", "checkpoints/{}", path)


def _operations(contract: Contract, history: History) -> Iterator[str]:
    ours = {
        f"{o.method} {_template(o.path)}": (o.sdk.since, o.sdk.until)
        for o in contract.operations.values()
        if o.sdk.since != NEVER_IN_AN_SDK
    }
    theirs = set(history.names("operation"))
    for name in sorted(theirs):
        yield from _compare(name, ours.get(name), history.sdk(f"operation {name}"))
    for name in sorted(ours.keys() - theirs):
        if not _announced(ours[name][0], history):
            yield f"{name}: no SDK calls it"


def _fields(contract: Contract, history: History) -> Iterator[str]:
    for name in history.names("field"):
        owner, _, field = name.partition(".")
        if owner in NOT_JSON or name in FIELDS_ELSEWHERE:
            continue
        theirs = history.sdk(f"field {name}")
        if owner in QUERIES:
            parameters = {p.name: p for p in contract.operations[QUERIES[owner]].parameters}
            if field not in parameters:
                yield f"{name}: no query parameter of {QUERIES[owner]}"
            continue
        component = _component(contract, STANDS_IN.get(owner, owner))
        if component is None:
            yield f"{name}: the contract has no schema {owner}"
        elif field not in component["properties"]:
            yield f"{name}: not in the contract's {STANDS_IN.get(owner, owner)}"
        elif owner not in STANDS_IN and not {owner, name} & OTHER_RANGE.keys():
            yield from _compare(name, _field_range(component, field), theirs)


def _unknown_fields(contract: Contract, history: History) -> Iterator[str]:
    """Fields that the contract gives to an SDK class and no release has."""
    known: dict[str, set[str]] = {}
    for name in history.names("field"):
        owner, _, field = name.partition(".")
        known.setdefault(owner, set()).add(field)
    for owner in sorted(known.keys() - STANDS_IN.keys() - NOT_JSON.keys()):
        component = _component(contract, owner) or {}
        for field in sorted(component.get("properties", {}).keys() - known[owner]):
            told = component["properties"][field].get("x-sdk-since")
            if f"{owner}.{field}" not in PAST_THE_CLASS and not _announced(told, history):
                yield f"{owner}.{field}: no release has it"


def _component(contract: Contract, name: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = contract.document["components"]["schemas"].get(name)
    return found


def _field_range(component: dict[str, Any], field: str) -> Range | None:
    """A field's own range within that of its schema."""
    properties = component.get("properties", {})
    if field not in properties:
        return None
    outer, inner = SdkRange.of(component), SdkRange.of(properties[field])
    return inner.since or outer.since or "0.7", inner.until or outer.until


def _values(contract: Contract, history: History) -> Iterator[str]:
    for name in history.names("value"):
        enum, _, value = name.partition(".")
        if enum in VALUES_ELSEWHERE:
            continue
        component = _component(contract, enum)
        if component is None or value not in map(str, component.get("enum", ())):
            yield f"{name}: not a value in the contract"
            continue
        limits = component.get("x-sdk-values", {}).get(value, {})
        ours = (limits.get("since", component.get("x-sdk-since", "0.7")), limits.get("until"))
        yield from _compare(name, ours, history.sdk(f"value {name}"))


def _messages(history: History) -> Iterator[str]:
    from tinker_mock.contracts.history.surface import message_fields

    file = file_descriptor()
    ours, marks = message_fields(file), marked_releases(file)
    theirs = {
        f"message {name}": history.at_the_end(f"message {name}")
        for name in history.names("message")
        if not name.startswith("TopkPromptLogprobs.")
    }
    for name in sorted(ours.keys() | theirs.keys()):
        if ours.get(name) != theirs.get(name):
            yield f"{name}: tinker.proto has {ours.get(name)}, the SDK {theirs.get(name)}"
            continue
        plain = name.removeprefix("message ")
        since = marks.get(plain) or marks.get(plain.partition(".")[0])
        if "TopkLogprobs" not in plain and since != history.sdk(name).since:
            yield f"{name}: tinker.proto says since {since}, the SDK {history.sdk(name).since}"


def marked_releases(file: Any) -> dict[str, str]:
    """`Message` or `Message.field` → the X of the `// since X` that stands behind it."""
    marks = {}
    for location in file.source_code_info.location:
        mark = SINCE.search(location.trailing_comments)
        if mark:
            marks[_name_at(file, location.path)] = mark[1]
    return marks


def _name_at(file: Any, path: Sequence[int]) -> str:
    """The name of what a location of a descriptor's source is about.

    Its path goes by field numbers: 4 is a file's messages, 5 its enums, and 2 both a message's
    fields and an enum's values.
    """
    kind, index, *rest = path
    owner = {4: file.message_type, 5: file.enum_type}[kind][index]
    if not rest:
        return str(owner.name)
    members = owner.field if kind == 4 else owner.value
    return f"{owner.name}.{members[rest[1]].name}"
