"""Lint: what every document must say about every operation."""

from collections.abc import Iterator
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV32SpecValidator

from tinker_mock.contracts import Contract, Operation, SdkRange, parse_release
from tinker_mock.contracts.bundle import CONTRACTS, bundle, digest


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from nodes(value)
    elif isinstance(node, list):
        for value in node:
            yield from nodes(value)


def examples(operation: Operation) -> Iterator[tuple[str, str, Any]]:
    """(status or "request", content type, example)"""
    content = operation.document.get("requestBody", {}).get("content", {})
    parts = [("request", content)]
    parts += [(s, r.get("content", {})) for s, r in operation.document["responses"].items()]
    for where, media in parts:
        for content_type, described in media.items():
            if "example" in described:
                yield where, content_type, described["example"]
            for named in described.get("examples", {}).values():
                yield where, content_type, named.get("value", named.get("dataValue"))


def test_openapi_3_2(contract: Contract) -> None:
    errors = OpenAPIV32SpecValidator(contract.document).iter_errors()
    assert [f"{list(e.absolute_path)}: {e.message[:200]}" for e in errors] == []


def test_bundle_in_step(contract: Contract) -> None:
    directory = CONTRACTS / contract.name
    assert contract.document["x-digest"] == digest(directory), "run `make contract`"
    assert contract.document == bundle(directory), "run `make contract`"


def test_every_operation_has_an_id_and_a_summary(contract: Contract) -> None:
    described = [
        (path, method)
        for path, item in contract.document["paths"].items()
        for method in item
        if method not in ("parameters", "summary", "description", "servers")
    ]
    assert len(contract.operations) == len(described), "two operations share an id"
    unsaid = [o.id for o in contract.operations.values() if not (o.summary and o.chapter)]
    assert unsaid == []


def test_every_operation_says_how_it_refuses(contract: Contract) -> None:
    silent = []
    for operation in contract.operations.values():
        statuses = set(operation.responses)
        wanted = {"default"} if contract.name != "control" else set()
        if contract.name == "tinker":
            wanted |= {"422"} if operation.request_types else set()
            wanted |= {"401"} if operation.security is None else set()
        if not wanted <= statuses:
            silent.append((operation.id, sorted(wanted - statuses)))
    assert silent == []


def test_examples_are_valid(contract: Contract) -> None:
    wrong, without = [], []
    for operation in contract.operations.values():
        found = list(examples(operation))
        for where, content_type, example in found:
            if where == "request":
                judged = operation.check_request(example, content_type)
                judged_unknown = operation.unknown_fields(example)
            else:
                judged = operation.check_response(
                    200 if where == "default" else int(where), example, content_type
                )
                judged_unknown = []
            wrong += [f"{operation.id} {where} {v}" for v in judged]
            wrong += [f"{operation.id} {where} unknown {p}" for p in judged_unknown]
        takes_json = "application/json" in operation.request_types
        if takes_json and not any(where == "request" for where, _, _ in found):
            without.append(operation.id)
    assert wrong == []
    assert without == []


def test_sdk_ranges_are_releases(tinker: Contract) -> None:
    for operation in tinker.operations.values():
        assert operation.sdk.since is not None, operation.id
    for node in nodes(tinker.document):
        for limit in (SdkRange.of(node), *(_of_value(v) for v in _values(node))):
            for release in (limit.since, limit.until):
                assert release in (None, "none") or parse_release(str(release)) >= (0, 7)
            if limit.since not in (None, "none") and limit.until:
                assert parse_release(str(limit.since)) <= parse_release(limit.until)


def _values(node: dict[str, Any]) -> list[Any]:
    values = node.get("x-sdk-values")
    return list(values.values()) if isinstance(values, dict) else []


def _of_value(value: dict[str, str]) -> SdkRange:
    return SdkRange(value.get("since"), value.get("until"))


def test_values_with_a_range_are_in_the_enum(tinker: Contract) -> None:
    for node in nodes(tinker.document):
        if "x-sdk-values" in node:
            assert set(node["x-sdk-values"]) <= set(map(str, node["enum"]))


def test_every_component_is_used(contract: Contract) -> None:
    used = {node["$ref"] for node in nodes(contract.document) if "$ref" in node}
    unused = [
        f"{kind}/{name}"
        for kind in ("schemas", "responses", "parameters")
        for name in contract.document["components"].get(kind, {})
        if f"#/components/{kind}/{name}" not in used
    ]
    assert unused == []


def test_promises_are_linked_to_their_poll(tinker: Contract) -> None:
    for operation in tinker.operations.values():
        if operation.result_schema is not None:
            link = operation.document["responses"]["200"]["links"]["poll"]
            assert link["operationId"] == "retrieve_future", operation.id


def test_every_operation_says_where_its_work_runs(tinker: Contract) -> None:
    for operation in tinker.operations.values():
        assert operation.document["x-lane"] in ("model", "client", "none"), operation.id
        assert operation.promised == (operation.lane != "none") == bool(operation.polled_as)


def test_what_is_ordered_names_the_model_whose_lane_it_is(tinker: Contract) -> None:
    for name in tinker.ordered:
        schema = tinker.schemas.resolve(tinker.operations[name].request_schema)
        assert "model_id" in schema["properties"], name
    unnumbered = {o.id for o in tinker.operations.values() if o.lane == "model" and not o.ordered}
    assert unnumbered == {"create_model", "unload_model"}


def test_results_that_are_messages_are_those_a_poll_may_answer(tinker: Contract) -> None:
    poll = tinker.operations["retrieve_future"].response_schema(200, "application/x-protobuf")
    results = {o.result_message for o in tinker.operations.values() if o.binary_result}
    assert poll is not None
    assert results == set(poll["x-protobuf"])


def test_polls_name_one_operation_each(tinker: Contract) -> None:
    for name in tinker.promised:
        operation = tinker.operations[name]
        assert tinker.polled_as(operation.polled_as) is operation
    assert tinker.polled_as("") is None


def test_links_lead_somewhere(contract: Contract) -> None:
    for node in nodes(contract.document):
        for link in node.get("links", {}).values() if isinstance(node.get("links"), dict) else ():
            target = contract.operations[link["operationId"]]
            declared = {p.name for p in target.parameters}
            assert set(link.get("parameters", {})) <= declared, link


@pytest.mark.parametrize("name", ["nothing", "", "../tinker"])
def test_only_the_three_contracts_exist(name: str) -> None:
    from tinker_mock.contracts import load_contract

    with pytest.raises(LookupError, match="choose one of"):
        load_contract(name)
