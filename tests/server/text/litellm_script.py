"""litellm's OpenAI-compatible route against the mock; run by its own environment's Python.

Usage: python litellm_script.py http://127.0.0.1:PORT
"""

import json
import sys
from typing import Any

import litellm

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


def main(url: str) -> None:
    """Chat, stream, a tool loop, the errors; any difference ends it with a traceback."""
    asked: dict[str, Any] = {
        "model": "openai/Qwen/Qwen3-8B",
        "api_base": f"{url}/oai/api/v1",
        "api_key": "tml-litellm",
        "messages": [{"role": "user", "content": "Hello"}],
        "max_tokens": 200,
        "num_retries": 0,
        "max_retries": 0,
    }
    whole = litellm.completion(**asked, seed=1).choices[0]
    stream = litellm.completion(**asked, seed=1, stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert text == whole.message.content, (text, whole.message.content)
    assert whole.message.reasoning_content

    messages = [{"role": "user", "content": "What is the weather in Ghent?"}]
    called = litellm.completion(**{**asked, "messages": messages}, tools=[WEATHER]).choices[0]
    assert called.finish_reason == "tool_calls"
    call = called.message.tool_calls[0]
    assert "city" in json.loads(call.function.arguments)
    messages += [
        called.message.model_dump(),
        {"role": "tool", "tool_call_id": call.id, "content": "{}"},
    ]
    final = litellm.completion(**{**asked, "messages": messages}, tools=[WEATHER]).choices[0]
    assert final.finish_reason == "stop"

    for change, wanted in (
        ({"api_key": "sk-wrong"}, litellm.AuthenticationError),
        ({"model": "openai/nobody"}, litellm.NotFoundError),
        ({"max_tokens": 40_000}, litellm.BadRequestError),
        ({"extra_headers": {"X-Tinker-Mock-Effect": "return-429"}}, litellm.RateLimitError),
    ):
        try:
            litellm.completion(**{**asked, **change})
        except wanted:
            continue
        raise AssertionError(f"{change}: no {wanted.__name__}")
    print("litellm ok")


if __name__ == "__main__":
    main(sys.argv[1])
