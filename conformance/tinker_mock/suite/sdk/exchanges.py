"""The judgement of what went over the wire during a step, in both directions."""

from typing import Any

from tinker_mock.contracts import Operation, load_contract


def judge(entry: dict[str, Any], release: str, *, only_its_calls: bool = True) -> list[str]:
    """What is wrong with one journal entry; empty when both sides kept the contract.

    The journal's own verdict counts, and on top: every field the release sends must be in the
    contract for that release, and a promise's result must fit the operation that made it. With
    `only_its_calls` False the client may have calls that other releases have.
    """
    operation = load_contract("tinker").operations.get(entry["operation"] or "")
    where = f"{entry['method']} {entry['path']} → {entry['status']}"
    if operation is None:
        return [f"{where}: no operation of the contract"] if entry["status"] == 404 else []
    if only_its_calls and release not in operation.sdk:
        return [f"{where}: {operation.id} is for SDK {operation.sdk}"]
    found = [f"{v['pointer'] or '/'}: {v['message']}" for v in _refused_rightly(entry)]
    body = entry["request_body"]
    if entry["request_type"].startswith("application/json") and isinstance(body, dict):
        found += [f"{field}: not in the contract" for field in operation.unknown_fields(body)]
        found += [
            f"{o.pointer}: the contract says SDK {o.sdk}"
            for o in operation.fields_outside(body, release)
        ]
    names = load_contract("tinker").unknown_headers(operation, entry["request_headers"], release)
    found += [f"header {name}: not in the contract for this release" for name in names]
    found += _result(entry, operation)
    return [f"{where}: {problem}" for problem in found]


def _refused_rightly(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """Violations that count: a bad request that was refused is what an error step is for."""
    refused = entry["verdict"] != "response" and 400 <= (entry["status"] or 0) < 500
    return [] if refused else list(entry["violations"])


def _result(entry: dict[str, Any], operation: Operation) -> list[str]:
    body = entry["response_body"]
    kind = entry["request_headers"].get("x-tinker-request-type", "")
    if operation.id != "retrieve_future" or entry["status"] != 200 or not isinstance(body, dict):
        return []
    pending = body.get("type") == "try_again" or "error" in body or body.keys() <= WRAPPED
    if pending:
        return []
    made_by = load_contract("tinker").polled_as(kind)
    return [f"result {v}" for v in made_by.check_result(body)] if made_by else []


WRAPPED = {"text", "base64", "omitted", "status", "response_payload_size"}
"""Bodies the journal keeps as text or bytes, and metadata-only answers."""
