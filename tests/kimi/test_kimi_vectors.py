"""Parity: the shared vectors, and our own ones for what the shared file does not pin."""

import os
from pathlib import Path
from typing import Any

import pytest

from tinker_mock.kimi import KimiTransformer, ToolMessageError
from tinker_mock.suite.vectors.components.kimi import COMPONENTS
from tinker_mock.suite.vectors.runner import load_vectors, run_vectors

ROOT = Path(__file__).parents[2]
VECTORS = Path(os.environ.get("TINKER_MOCK_VECTORS", ROOT.parent / "shared" / "vectors"))


def test_every_kimi_vector_of_the_shared_files_passes() -> None:
    files = sorted(VECTORS.glob("*.json"))
    if not files:
        pytest.skip(f"no vectors in {VECTORS} (set TINKER_MOCK_VECTORS)")
    entries = [e for file in files for e in load_vectors(file) if e["component"] in COMPONENTS]
    report = run_vectors(entries)
    assert (report.failed, report.unfit) == ([], [])
    assert report.passed == len(entries) > 100


def original(**options: Any) -> KimiTransformer:
    return KimiTransformer(options, compat="original")


def test_the_original_takes_any_character_for_the_dot() -> None:
    body = {"choices": [{"message": {"tool_calls": [{"id": "functions_a:0", "function": {}}]}}]}
    assert original().response(body, {})["choices"][0]["message"]["tool_calls"][0]["id"] == (
        "functions_a:0"
    )


def test_the_original_ignores_the_rest_of_a_chunk_after_done_until_the_next_chunk() -> None:
    stream = original().stream("text/event-stream", {})
    assert stream is not None
    assert stream.feed(b'data: [DONE]\n\ndata: {"a":1}\n') == b"data: [DONE]\n\n"
    assert stream.feed(b"\n") == b'\ndata: {"a":1}\n\n\n'


def test_the_original_passes_json_lines_raw_and_calls_them_events() -> None:
    stream = original(assembleToolDeltas=True).stream("application/x-ndjson; charset=utf-8", {})
    assert stream is not None
    line = b'{"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}\n'
    assert stream.feed(line) + stream.finish() == line


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("1.0", "1"),
        ("1e21", "1e+21"),
        ("123456789012345680000", "123456789012345680000"),
        ("1e-7", "1e-7"),
        ("0.000001", "0.000001"),
        ("-0.0", "0"),
        ("1e400", "null"),
        ('{"b":1,"10":2,"9":3}', '{"9":3,"10":2,"b":1}'),
        ('"\\ud800é\\u2028"', '"\\ud800é\u2028"'),
    ],
)
def test_the_original_writes_json_as_javascript_does(value: str, written: str) -> None:
    stream = original().stream("text/event-stream", {})
    assert stream is not None
    assert stream.feed(f"data: {value}\n".encode()).decode() == f"data: {written}\n\n"


MARKED = (
    "<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{}"
    "<|tool_call_end|><|tool_calls_section_end|>"
)


def test_the_original_parses_by_hand_only_with_messages_at_hand() -> None:
    body = {"choices": [{"message": {"content": MARKED}, "finish_reason": "stop"}]}
    manual = original(manualToolParsing=True)
    assert manual.response(body, {"messages": None}) == body
    assert manual.response(body, {"messages": []})["choices"][0]["finish_reason"] == "tool_calls"


def test_the_original_reads_options_as_javascript_does() -> None:
    lenient = original(idPrefix=None, manualToolParsing=1, toolTokens={"argBegin": "|"}, other=7)
    assert lenient.options.id_prefix == ""
    assert lenient.options.manual_tool_parsing is True
    assert lenient.options.tool_tokens.argument_begin == "|"


def test_the_original_needs_messages_to_look_at() -> None:
    with pytest.raises(ToolMessageError, match="not iterable"):
        original().request_in({})
    assert original(acceptRoleTool=False).request_in({}) == {}
    assert KimiTransformer().request_in({}) == {}
