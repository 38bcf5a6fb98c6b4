"""`client sample`, also `client run --prompt …`: text from a model."""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

from tinker_mock.client.commands.formats import sample_block
from tinker_mock.client.commands.terminal import Terminal, write_text
from tinker_mock.client.errors import TinkerError, invalid
from tinker_mock.client.service import AsyncServiceClient
from tinker_mock.client.session.tokenizers import tokenizer_source
from tinker_mock.client.types.json import encode
from tinker_mock.client.types.model_input import ModelInput
from tinker_mock.client.types.parameters import SamplingParams
from tinker_mock.client.types.results import SampledSequence, SampleResponse
from tinker_mock.client.types.text import decode_tokens


async def sample(terminal: Terminal, service: AsyncServiceClient, arguments: Namespace) -> int:
    """Sample from a base model or a checkpoint and print the text, or JSON."""
    check(arguments)
    client = await service.create_sampling_client(arguments.base_model, arguments.model_path)
    model = arguments.tokenizer
    if model is None:
        model = await tokenizer_source(
            service.connection, client.base_model or arguments.base_model
        )
    prompt = read_prompt(arguments, model)
    terminal.warn("Starting sampling...")
    params = SamplingParams(
        max_tokens=arguments.max_tokens,
        seed=arguments.seed,
        temperature=arguments.temperature,
        top_k=arguments.top_k,
        top_p=arguments.top_p,
        stop=arguments.stop,
    )
    operation = client.sample(prompt, arguments.num_samples, params)
    response = await operation.result()
    text = as_json(response, model) if arguments.format == "json" else as_text(response, model)
    if arguments.output:
        write_text(arguments.output, text)
    else:
        terminal.say(text)
    terminal.warn(f"Sampling complete ({len(response.sequences)} sequences)")
    return 0


def check(arguments: Namespace) -> None:
    """Raise `ValidationError` for options that contradict each other."""
    if arguments.prompt is not None and arguments.prompt_file is not None:
        raise invalid("--prompt and --prompt-file exclude each other")
    if arguments.prompt is None and arguments.prompt_file is None:
        raise invalid("give a prompt: --prompt TEXT or --prompt-file FILE")
    if bool(arguments.base_model) == bool(arguments.model_path):
        raise invalid("give one of --base-model and --model-path")


def read_prompt(arguments: Namespace, model: str | None) -> ModelInput:
    """Text, or token ids: a file with a JSON list of integers, or {"tokens": [...]}."""
    text = arguments.prompt
    if text is None:
        text = Path(arguments.prompt_file).read_text()
        tokens = parse_tokens(text)
        if tokens is not None:
            return ModelInput.from_ints(tokens)
    return ModelInput.from_text(text, model_name=model)


def parse_tokens(text: str) -> list[int] | None:
    """Token ids from JSON, or `None` if it is plain text."""
    try:
        body = json.loads(text)
    except ValueError:
        return None
    tokens = body.get("tokens") if isinstance(body, dict) else body
    if isinstance(tokens, list) and all(type(token) is int for token in tokens):
        return tokens
    return None


def as_text(response: SampleResponse, model: str | None) -> str:
    blocks = [
        sample_block(number, _decoded(sequence, model), sequence)
        for number, sequence in enumerate(response.sequences, 1)
    ]
    return "\n\n".join(blocks)


def as_json(response: SampleResponse, model: str | None) -> str:
    body: dict[str, Any] = encode(response, nulls=False)
    for item, sequence in zip(body["sequences"], response.sequences, strict=True):
        item["text"] = _decoded(sequence, model)
    return json.dumps(body)


def _decoded(sequence: SampledSequence, model: str | None) -> str:
    try:
        return decode_tokens(list(sequence.tokens), model_name=model)
    except TinkerError as error:
        return f"[decode error: {error.message}]"
