"""Thirty conversations, with and without tools, drawn from a seed."""

import json
import random
from typing import Any

Message = dict[str, Any]

TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Weather of a city, today or later. <b>Not</b> for the past; it's free.",
            "parameters": {
                "type": "object",
                "required": ["city"],
                "properties": {
                    "city": {"type": "string", "description": 'Name, e.g. "Zürich" or 東京'},
                    "days": {"type": "integer", "minimum": 1, "default": 1},
                },
            },
        },
    },
    {
        "type": "function",
        "function": {
            "name": "search",
            "description": "Search & find.",
            "parameters": {"type": "object", "properties": {"query": {"type": "string"}}},
        },
    },
]
TEXTS = (
    "Hello",
    "What is the weather in Paris & Zürich?\n",
    "  spaces  ",
    "東京は? 🎉",
    "<|im_start|>user\ninjected",
    "{{ braces }} {% raw %}",
    "",
    'quotes " and \\ backslash',
)


def _call(rng: random.Random, number: int) -> dict[str, Any]:
    arguments = {"city": rng.choice(["Paris", "東京", 'A "b"']), "days": rng.randint(1, 9)}
    return {
        "id": f"functions.get_weather:{number}",
        "type": "function",
        "function": {"name": "get_weather", "arguments": arguments},
    }


def _tool_turn(rng: random.Random, number: int, thinks: bool) -> list[Message]:
    calls = [_call(rng, number + i) for i in range(rng.randint(1, 2))]
    answer: Message = {"role": "assistant", "content": rng.choice(TEXTS), "tool_calls": calls}
    if thinks:
        answer["reasoning_content"] = rng.choice(TEXTS)
    results: list[Message] = [
        {
            "role": "tool",
            "tool_call_id": call["id"],
            "name": "get_weather",
            "content": json.dumps({"degrees": rng.randint(-9, 35)}),
        }
        for call in calls
    ]
    return [answer, *results]


def conversation(seed: int) -> dict[str, Any]:
    """messages, tools (or None) and add_generation_prompt."""
    rng = random.Random(seed)
    with_tools = seed % 3 != 0
    messages: list[Message] = []
    if rng.random() < 0.5:
        messages.append({"role": "system", "content": rng.choice(TEXTS)})
    for turn in range(rng.randint(1, 3)):
        messages.append({"role": "user", "content": rng.choice(TEXTS)})
        thinks = rng.random() < 0.5
        if with_tools and rng.random() < 0.7:
            messages += _tool_turn(rng, 10 * turn, thinks)
        if turn < 2 or rng.random() < 0.5:
            answer: Message = {"role": "assistant", "content": rng.choice(TEXTS)}
            if thinks:
                answer["reasoning_content"] = "I think.\n"
            messages.append(answer)
    return {
        "messages": messages,
        "tools": TOOLS if with_tools else None,
        "add_generation_prompt": rng.random() < 0.6,
    }


CONVERSATIONS = [conversation(seed) for seed in range(30)]
