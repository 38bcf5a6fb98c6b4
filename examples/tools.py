"""An agent test: the model's tool call and answer are scripted, the OpenAI client is the real one.

tinker-mock run -- python tools.py
"""

import json
import os

import httpx
from openai import OpenAI

MODEL = "Qwen/Qwen3-8B"
httpx.post(
    os.environ["TINKER_BASE_URL"] + "/_mock/scripts",
    json={
        "model": MODEL,
        "pattern": "weather in Oslo",
        "answers": [
            {"tool_calls": [{"name": "get_weather", "arguments": {"city": "Oslo"}}]},
            {"completion": "It is -3 degrees in Oslo. Take a coat."},
        ],
        "order": "sequence",
    },
).raise_for_status()

client = OpenAI()
tools = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
]
messages = [{"role": "user", "content": "How is the weather in Oslo?"}]
first = client.chat.completions.create(model=MODEL, messages=messages, tools=tools)
(call,) = first.choices[0].message.tool_calls
print("call:", call.function.name, json.loads(call.function.arguments))
messages += [first.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "-3"}]
second = client.chat.completions.create(model=MODEL, messages=messages, tools=tools)
print("answer:", second.choices[0].message.content)
