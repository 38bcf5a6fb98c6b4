"""How other parsers read the same text, where they differ from ours.

Each is written from its source's rules; `README.md` has the table. They exist so that a
difference seen against a real engine can be named.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from tinker_mock.kimi.json_text import is_json
from tinker_mock.kimi.markers import ToolTokens
from tinker_mock.kimi.stream_parser import OFFICIAL, parse

BEGIN, END = ToolTokens.section_begin, ToolTokens.section_end
CALL = re.escape(ToolTokens.call_begin)
ARGUMENT = re.escape(ToolTokens.argument_begin)
CALL_END = re.escape(ToolTokens.call_end)
WHOLE_CALL = re.compile(rf"{CALL}(.*?){CALL_END}", re.DOTALL)
GUIDANCE_CALL = re.compile(
    rf"{CALL}\s*(?P<id>[\w\.]+:\d+)\s*{ARGUMENT}\s*(?P<arguments>.*?)\s*{CALL_END}", re.DOTALL
)
VLLM_CALL = re.compile(
    rf"{CALL}\s*(?P<id>[^<]+:\d+)\s*{ARGUMENT}\s*(?P<arguments>.*?)\s*{CALL_END}", re.DOTALL
)
SMG_CALL = re.compile(
    rf"{CALL}\s*(?P<id>[\w\.]+:\d+)\s*{ARGUMENT}\s*(?P<arguments>\{{.*?\}})\s*{CALL_END}",
    re.DOTALL,
)
SMG_ID = re.compile(r"(?:functions\.)?(?P<name>[\w\.]+):(?P<index>\d+)")
COOKBOOK_SECTION = re.compile(
    r"<\|tool_calls?_section_begin\|>(.*?)<\|tool_calls?_section_end\|>", re.DOTALL
)
COOKBOOK_CALL = re.compile(rf"(?P<id>[^<]+:\d+)\s*{ARGUMENT}\s*(?P<arguments>.*?)\s*", re.DOTALL)

Call = dict[str, Any]
NO_NAME = "IndexError (guidance) / skipped with warning (K2VV)"


def _call(id: str, name: str, arguments: str) -> Call:
    return {"id": id, "name": name, "arguments": arguments}


def official_guidance(text: str) -> dict[str, Any]:
    """MoonshotAI's sample parser: the first section only, the name is the second dot segment."""
    section = re.search(rf"{re.escape(BEGIN)}(.*?){re.escape(END)}", text, re.DOTALL)
    calls: list[Call] = []
    for match in GUIDANCE_CALL.finditer(section[1] if section else ""):
        segments = match["id"].split(".")
        if len(segments) < 2:
            calls.append({"id": match["id"], "error": NO_NAME})
        else:
            calls.append(_call(match["id"], segments[1].split(":")[0], match["arguments"]))
    return {"tool_calls": calls}


def vllm(text: str) -> dict[str, Any]:
    """vLLM: calls anywhere after a section begins, the name is the last dot segment."""
    if BEGIN not in text:
        return {"content": text, "tool_calls": []}
    before, _, after = text.partition(BEGIN)
    calls = [
        _call(match["id"].strip(), _last_segment(match["id"]), match["arguments"])
        for match in VLLM_CALL.finditer(after)
    ]
    return {"content": before or None, "tool_calls": calls}


def _last_segment(written: str) -> str:
    return written.strip().split(":")[0].split(".")[-1]


def smg(text: str) -> dict[str, Any]:
    """The gateway: arguments must be a JSON object; without a good call all of it is text."""
    calls: list[Call] = []
    for match in SMG_CALL.finditer(text) if BEGIN in text else ():
        name = SMG_ID.fullmatch(match["id"])
        if name and _is_object(match["arguments"]):
            calls.append(_call(match["id"], name["name"], match["arguments"]))
    return {"content": text.partition(BEGIN)[0] if calls else text, "tool_calls": calls}


def tinker_cookbook(text: str) -> dict[str, Any]:
    """tinker-cookbook: one section, either marker variant; bad JSON is kept as unparsed."""
    section = COOKBOOK_SECTION.search(text)
    if section is None:
        return {"content": text, "tool_calls": [], "unparsed": []}
    calls: list[Call] = []
    unparsed: list[str] = []
    for whole in WHOLE_CALL.finditer(section[1]):
        match = COOKBOOK_CALL.fullmatch(whole[1].strip())
        if match and is_json(match["arguments"]):
            name = match["id"].split(":")[0].split(".", 1)[-1]
            calls.append(_call(match["id"].strip(), name, match["arguments"]))
        else:
            unparsed.append(whole[0])
    return {"content": text[: section.start()], "tool_calls": calls, "unparsed": unparsed}


def ours(text: str) -> dict[str, Any]:
    """This package's parser under the engines' policy."""
    parsed = parse(text, policy=OFFICIAL)
    calls = [_call(call.id, call.name, call.arguments) for call in parsed.calls]
    return {"content": parsed.content, "tool_calls": calls, "unparsed": parsed.unparsed}


def _is_object(text: str) -> bool:
    return is_json(text) and isinstance(json.loads(text), dict)


DIALECTS: dict[str, Callable[[str], dict[str, Any]]] = {
    "official_guidance": official_guidance,
    "vllm": vllm,
    "smg": smg,
    "tinker_cookbook": tinker_cookbook,
}


def read_by_all(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every dialect's reading of one text."""
    for name, read in DIALECTS.items():
        yield name, read(text)
