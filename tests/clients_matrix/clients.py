"""What popular clients do against one address: a JSON object of client, feature and outcome.

Runs in any environment: a client that is not installed there is left out.
`python clients.py http://127.0.0.1:8765 [client …]`
"""

import asyncio
import json
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

MODEL, KIMI = "Qwen/Qwen3-8B", "moonshotai/Kimi-K2.6"
USER: list[Any] = [{"role": "user", "content": "What is the weather in Paris?"}]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
FUNCTION = {"name": "get_weather", "description": "Weather in a city", "parameters": SCHEMA}
TOOL: Any = {"type": "function", "function": FUNCTION}

Feature = Callable[[str], Any]
CLIENTS: dict[str, dict[str, Feature]] = {}


def feature(client: str, name: str) -> Callable[[Feature], Feature]:
    """Enter a function into the table; what it returns must be true."""

    def enter(function: Feature) -> Feature:
        CLIENTS.setdefault(client, {})[name] = function
        return function

    return enter


def model_type() -> Any:
    import pydantic

    return pydantic.create_model("Trip", city=(str, ...), days=(int, ...))


def openai_client(url: str) -> Any:
    import openai

    return openai.OpenAI(base_url=f"{url}/oai/api/v1", api_key="tml-matrix", max_retries=0)


@feature("openai", "text")
def _(url: str) -> Any:
    answer = openai_client(url).chat.completions.create(model=MODEL, messages=USER, max_tokens=9)
    return answer.choices[0].message is not None and answer.usage.total_tokens


@feature("openai", "stream")
def _(url: str) -> Any:
    stream = openai_client(url).chat.completions.create(
        model=MODEL, messages=USER, max_tokens=9, stream=True
    )
    return list(stream)[-1].choices[0].finish_reason


@feature("openai", "tools")
def _(url: str) -> Any:
    answer = openai_client(url).chat.completions.create(model=KIMI, messages=USER, tools=[TOOL])
    return json.loads(answer.choices[0].message.tool_calls[0].function.arguments)["city"]


@feature("openai", "some tools allowed")
def _(url: str) -> Any:
    names = [{"type": "function", "function": {"name": "get_weather"}}]
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": names}}
    other = {"type": "function", "function": {**FUNCTION, "name": "weather_in_paris"}}
    answer = openai_client(url).chat.completions.create(
        model=MODEL, messages=USER, tools=[other, TOOL], tool_choice=choice
    )
    calls = answer.choices[0].message.tool_calls
    return [call.function.name for call in calls] == ["get_weather"]


@feature("openai", "structured answer")
def _(url: str) -> Any:
    answer = openai_client(url).chat.completions.parse(
        model=MODEL, messages=USER, response_format=model_type()
    )
    return answer.choices[0].message.parsed.city


@feature("openai", "Responses API")
def _(url: str) -> Any:
    return openai_client(url).responses.create(model=MODEL, input="hi").output_text


@feature("openai", "list of models")
def _(url: str) -> Any:
    return MODEL in [model.id for model in openai_client(url).models.list()]


def anthropic_client(url: str) -> Any:
    import anthropic

    return anthropic.Anthropic(base_url=f"{url}/anthropic/api", api_key="tml-matrix", max_retries=0)


@feature("anthropic", "text")
def _(url: str) -> Any:
    return anthropic_client(url).messages.create(model=MODEL, max_tokens=9, messages=USER).content


@feature("anthropic", "stream")
def _(url: str) -> Any:
    with anthropic_client(url).messages.stream(model=MODEL, max_tokens=9, messages=USER) as stream:
        return stream.get_final_message().stop_reason


@feature("anthropic", "tools")
def _(url: str) -> Any:
    tool: Any = {"name": "get_weather", "description": "Weather", "input_schema": SCHEMA}
    answer = anthropic_client(url).messages.create(
        model=KIMI, max_tokens=500, messages=USER, tools=[tool]
    )
    return [block.input["city"] for block in answer.content if block.type == "tool_use"]


@feature("anthropic", "tool runner")
def _(url: str) -> Any:
    import anthropic

    tool = anthropic.beta_tool(
        lambda city, days: "sunny",
        name="get_weather",
        description="Weather in a city",
        input_schema=SCHEMA,
    )
    runner = anthropic_client(url).beta.messages.tool_runner(
        model=KIMI, max_tokens=500, messages=USER, tools=[tool]
    )
    return [message.stop_reason for message in runner] == ["tool_use", "end_turn"]


@feature("anthropic", "structured answer")
def _(url: str) -> Any:
    answer = anthropic_client(url).messages.parse(
        model=MODEL, max_tokens=500, messages=USER, output_format=model_type()
    )
    return answer.parsed_output.city


@feature("anthropic", "list of models")
def _(url: str) -> Any:
    return KIMI in [model.id for model in anthropic_client(url).models.list()]


def litellm_answer(url: str, **more: Any) -> Any:
    import litellm

    return litellm.completion(
        model=f"openai/{KIMI}",
        api_base=f"{url}/oai/api/v1",
        api_key="tml-matrix",
        messages=USER,
        **more,
    )


@feature("litellm", "text")
def _(url: str) -> Any:
    return litellm_answer(url, max_tokens=9).choices[0].finish_reason


@feature("litellm", "stream")
def _(url: str) -> Any:
    return list(litellm_answer(url, max_tokens=9, stream=True))


@feature("litellm", "tools")
def _(url: str) -> Any:
    call = litellm_answer(url, tools=[TOOL]).choices[0].message.tool_calls[0]
    return json.loads(call.function.arguments)["city"]


@feature("litellm", "structured answer")
def _(url: str) -> Any:
    form = {"type": "json_schema", "json_schema": {"name": "trip", "schema": SCHEMA}}
    answer = litellm_answer(url, response_format=form).choices[0].message.content
    return json.loads(answer)["city"]


@feature("litellm", "JSON mode, schema in the prompt")
def _(url: str) -> Any:
    import litellm

    told = {"role": "system", "content": f"Answer in JSON by this schema: {json.dumps(SCHEMA)}"}
    answer = litellm.completion(
        model=f"openai/{MODEL}",
        api_base=f"{url}/oai/api/v1",
        api_key="tml-matrix",
        messages=[told, *USER],
        response_format={"type": "json_object"},
    )
    return json.loads(answer.choices[0].message.content)["city"]


def langchain_openai(url: str) -> Any:
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(
        model=MODEL, base_url=f"{url}/oai/api/v1", api_key="tml-matrix", max_retries=0
    )


@feature("langchain-openai", "text")
def _(url: str) -> Any:
    return langchain_openai(url).invoke("hi", max_tokens=9).response_metadata


@feature("langchain-openai", "stream")
def _(url: str) -> Any:
    return list(langchain_openai(url).stream("hi", max_tokens=9))


@feature("langchain-openai", "tools")
def _(url: str) -> Any:
    bound = langchain_openai(url).bind_tools([TOOL], tool_choice="required")
    return bound.invoke("What is the weather in Paris?").tool_calls[0]["args"]["city"]


@feature("langchain-openai", "structured answer")
def _(url: str) -> Any:
    bound = langchain_openai(url).with_structured_output(model_type(), method="json_schema")
    return bound.invoke("Plan a trip").city


@feature("langchain-openai", "JSON mode, schema in the prompt")
def _(url: str) -> Any:
    bound = langchain_openai(url).with_structured_output(model_type(), method="json_mode")
    return bound.invoke(f"Plan a trip. Answer in JSON: {json.dumps(SCHEMA)}").city


def langchain_anthropic(url: str) -> Any:
    from langchain_anthropic import ChatAnthropic

    return ChatAnthropic(
        model=MODEL, base_url=f"{url}/anthropic/api", api_key="tml-matrix", max_retries=0
    )


@feature("langchain-anthropic", "text")
def _(url: str) -> Any:
    return langchain_anthropic(url).invoke("hi", max_tokens=9).response_metadata


@feature("langchain-anthropic", "structured answer")
def _(url: str) -> Any:
    chat = langchain_anthropic(url)
    return chat.with_structured_output(model_type(), method="json_schema").invoke("Plan").city


def pydantic_agent(url: str, output: Any) -> Any:
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    provider = OpenAIProvider(base_url=f"{url}/oai/api/v1", api_key="tml-matrix")
    return Agent(OpenAIChatModel(MODEL, provider=provider), output_type=output)


@feature("pydantic-ai", "text")
def _(url: str) -> Any:
    return pydantic_agent(url, str).run_sync("hi", model_settings={"max_tokens": 60}).output


@feature("pydantic-ai", "tools")
def _(url: str) -> Any:
    return pydantic_agent(url, model_type()).run_sync("Plan a trip").output.city


@feature("pydantic-ai", "structured answer")
def _(url: str) -> Any:
    from pydantic_ai import NativeOutput

    return pydantic_agent(url, NativeOutput(model_type())).run_sync("Plan a trip").output.city


@feature("pydantic-ai", "JSON mode, schema in the prompt")
def _(url: str) -> Any:
    from pydantic_ai import PromptedOutput

    return pydantic_agent(url, PromptedOutput(model_type())).run_sync("Plan a trip").output.city


def instructed(url: str, mode: str) -> Any:
    import instructor

    client = instructor.from_openai(openai_client(url), mode=getattr(instructor.Mode, mode))
    return client.chat.completions.create(
        model=MODEL, messages=USER, response_model=model_type(), max_retries=0
    ).city


@feature("instructor", "tools")
def _(url: str) -> Any:
    return instructed(url, "TOOLS")


@feature("instructor", "structured answer")
def _(url: str) -> Any:
    return instructed(url, "JSON_SCHEMA")


@feature("instructor", "JSON mode, schema in the prompt")
def _(url: str) -> Any:
    return instructed(url, "JSON")


def outcome(function: Feature, url: str) -> str:
    """ "works", or what the client says."""
    try:
        return "works" if function(url) else "says nothing"
    except Exception as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())}"[:160]


def main(arguments: list[str]) -> int:
    url, *wanted = arguments
    asyncio.set_event_loop(asyncio.new_event_loop())
    found = {}
    for client, features in CLIENTS.items():
        if wanted and client not in wanted:
            continue
        try:
            release = version("pydantic-ai-slim" if client == "pydantic-ai" else client)
        except ModuleNotFoundError:
            continue
        outcomes = {name: outcome(function, url) for name, function in features.items()}
        found[client] = {"release": release, "features": outcomes}
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
