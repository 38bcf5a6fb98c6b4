"""Programs of the text endpoints: the makers' own packages, plain and streamed.

`api.client` is an `openai.OpenAI` or an `anthropic.Anthropic`.
"""

from typing import Any

from tinker_mock.suite.cassettes.situation import BASE, rule, situation

OPENAI, ANTHROPIC = ("openai",), ("anthropic",)
TOOLED = "moonshotai/Kimi-K2.6"
SAID: list[Any] = [{"role": "user", "content": "What is the weather in Paris?"}]
PLACE = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER: Any = {"name": "get_weather", "description": "Weather in a city"}
FAILING = (400, 401, 403, 404, 422, 409, 429, 500, 503)
FOR_GOOD = 5
"""So many of these statuses are final; the others are asked again."""


@situation(clients=OPENAI)
def chat(api: Any) -> dict[str, Any]:
    answer = api.client.chat.completions.create(
        model=BASE, messages=SAID, max_tokens=60, seed=3, logprobs=True, top_logprobs=2
    )
    (choice,) = answer.choices
    return {
        "text": choice.message.content,
        "ended": choice.finish_reason,
        "tokens": answer.usage.completion_tokens,
        "logprobs": [one.logprob for one in choice.logprobs.content],
    }


@situation(clients=OPENAI)
def chat_streamed(api: Any) -> dict[str, Any]:
    stream = api.client.chat.completions.create(
        model=BASE,
        messages=SAID,
        max_tokens=60,
        seed=3,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    said = [one.delta.content for chunk in chunks for one in chunk.choices if one.delta.content]
    return {"text": "".join(said), "tokens": chunks[-1].usage.completion_tokens}


@situation(clients=OPENAI)
def chat_with_a_tool(api: Any) -> dict[str, Any]:
    tool = {"type": "function", "function": {**WEATHER, "parameters": PLACE}}
    answer = api.client.chat.completions.create(
        model=TOOLED, messages=SAID, tools=[tool], max_tokens=400, seed=3
    )
    (call,) = answer.choices[0].message.tool_calls
    return {"called": call.function.name, "arguments": call.function.arguments}


@situation(clients=OPENAI)
def completion(api: Any) -> dict[str, Any]:
    answer = api.client.completions.create(model=BASE, prompt="Once", max_tokens=8, seed=3, n=2)
    return {"texts": [choice.text for choice in answer.choices]}


@situation(clients=OPENAI)
def completion_streamed(api: Any) -> dict[str, Any]:
    stream = api.client.completions.create(
        model=BASE, prompt="Once", max_tokens=8, seed=3, stream=True
    )
    return {"text": "".join(one.text for chunk in stream for one in chunk.choices)}


@situation(clients=OPENAI)
def text_models(api: Any) -> dict[str, Any]:
    names = sorted(model.id for model in api.client.models.list())
    return {"models": names, "one": api.client.models.retrieve(BASE).id}


@situation(
    rules=[rule("create_chat_completion", [f"return-{status}" for status in FAILING])],
    clients=OPENAI,
)
def chat_refusals(api: Any) -> dict[str, Any]:
    def ask() -> Any:
        return (
            api.client.chat.completions.create(model=BASE, messages=SAID, max_tokens=4, seed=3)
            .choices[0]
            .finish_reason
        )

    return {"failures": [api.failure(ask) for _ in range(FOR_GOOD)], "after": ask()}


@situation(clients=OPENAI)
def unknown_text_model(api: Any) -> dict[str, Any]:
    def ask() -> Any:
        return api.client.chat.completions.create(model="no/such-model", messages=SAID)

    return {"failure": api.failure(ask)}


@situation(clients=ANTHROPIC)
def message(api: Any) -> dict[str, Any]:
    answer = api.client.messages.create(
        model=BASE, max_tokens=60, messages=SAID, system="Be brief."
    )
    texts = [block.text for block in answer.content if block.type == "text"]
    return {"texts": texts, "ended": answer.stop_reason, "tokens": answer.usage.output_tokens}


@situation(clients=ANTHROPIC)
def message_streamed(api: Any) -> dict[str, Any]:
    with api.client.messages.stream(model=BASE, max_tokens=60, messages=SAID) as stream:
        kinds = [event.type for event in stream]
        whole = stream.get_final_message()
    return {
        "events": sorted(set(kinds)),
        "texts": [block.text for block in whole.content if block.type == "text"],
        "ended": whole.stop_reason,
    }


@situation(clients=ANTHROPIC)
def message_with_a_tool(api: Any) -> dict[str, Any]:
    answer = api.client.messages.create(
        model=TOOLED,
        max_tokens=400,
        messages=SAID,
        tools=[{**WEATHER, "input_schema": PLACE}],
    )
    (called,) = (block for block in answer.content if block.type == "tool_use")
    return {"called": called.name, "input": called.input}


@situation(clients=ANTHROPIC)
def counted_tokens(api: Any) -> dict[str, Any]:
    counted = api.client.messages.count_tokens(model=BASE, messages=SAID)
    return {"tokens": counted.input_tokens}


@situation(
    rules=[rule("create_message", [f"return-{status}" for status in FAILING])],
    clients=ANTHROPIC,
)
def message_refusals(api: Any) -> dict[str, Any]:
    def ask() -> Any:
        return api.client.messages.create(model=BASE, max_tokens=4, messages=SAID).stop_reason

    return {"failures": [api.failure(ask) for _ in range(FOR_GOOD)], "after": ask()}


@situation(clients=ANTHROPIC)
def unknown_message_model(api: Any) -> dict[str, Any]:
    def ask() -> Any:
        return api.client.messages.create(model="no/such-model", max_tokens=4, messages=SAID)

    return {"failure": api.failure(ask)}


@situation(clients=ANTHROPIC)
def message_models(api: Any) -> dict[str, Any]:
    names = sorted(model.id for model in api.client.models.list())
    return {"models": names, "one": api.client.models.retrieve(BASE).id}
