"""`client train data.jsonl`: supervised training from the command line."""

import json
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tinker_mock.client.commands.formats import json_text
from tinker_mock.client.commands.plot import sparkline
from tinker_mock.client.commands.terminal import Terminal
from tinker_mock.client.errors import invalid
from tinker_mock.client.service import AsyncServiceClient
from tinker_mock.client.types.datum import Datum
from tinker_mock.client.types.model_input import ModelInput
from tinker_mock.client.types.parameters import AdamParams
from tinker_mock.client.types.text import encode_text


async def train(terminal: Terminal, service: AsyncServiceClient, arguments: Namespace) -> int:
    """Train an adapter on a file of examples, with a bar and a chart of the loss."""
    if arguments.steps < 1 or arguments.batch_size < 1:
        raise invalid("--steps and --batch-size must be at least 1")
    client = await service.create_lora_training_client(
        arguments.base_model, arguments.rank, seed=arguments.seed
    )
    model = arguments.tokenizer or await client.tokenizer_source()
    examples = read_examples(Path(arguments.data), model)
    params = AdamParams(learning_rate=arguments.learning_rate)
    losses: list[float] = []
    with (
        _metrics_file(arguments.metrics) as written,
        training_bar(terminal, arguments.steps) as bar,
    ):
        for step in range(arguments.steps):
            batch = _batch(examples, step, arguments.batch_size)
            passed = client.forward_backward(batch, "cross_entropy")
            stepped = client.optim_step(params)
            output, optimised = await passed, await stepped
            tokens = sum(sum(one.loss_fn_inputs["weights"].data) for one in batch)
            losses.append(output.metrics["loss:sum"] / tokens)
            written(
                {"step": step, "loss": losses[-1], **output.metrics, **(optimised.metrics or {})}
            )
            bar(step + 1, losses)
    result: dict[str, Any] = {"model_id": client.model_id, "loss": losses[-1]}
    if arguments.name:
        result["weights_path"] = (await client.save_state(arguments.name)).path
    if arguments.format == "json":
        terminal.say(json_text(result))
        return 0
    terminal.say(f"Trained {client.model_id}: loss {losses[0]:.4f} → {losses[-1]:.4f}")
    if arguments.name:
        terminal.say(f"Saved {result['weights_path']}")
    return 0


def read_examples(path: Path, model: str | None) -> list[Datum]:
    """A datum a line: `tokens`, `text`, or `prompt` and `completion`, of which only the latter is
    learned. Raises `ValidationError` naming the line."""
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            found.append(_example(json.loads(line), model))
        except (ValueError, KeyError, TypeError) as error:
            raise invalid(f"{path.name}, line {number}: {error}") from None
    if not found:
        raise invalid(f"{path.name} has no examples")
    return found


def _example(body: Any, model: str | None) -> Datum:
    if not isinstance(body, dict):
        raise invalid("an example is an object")
    prompt: list[int] = []
    if "tokens" in body:
        rest = [int(token) for token in body["tokens"]]
    elif "text" in body:
        rest = encode_text(body["text"], model_name=model)
    elif "prompt" in body and "completion" in body:
        prompt = encode_text(body["prompt"], model_name=model)
        rest = encode_text(body["completion"], model_name=model)
    else:
        raise invalid("an example has tokens, text, or prompt and completion")
    whole = [*prompt, *rest]
    if len(whole) < 2:
        raise invalid("an example has at least two tokens")
    weights = [0.0] * max(0, len(prompt) - 1) + [1.0] * (len(whole) - max(1, len(prompt)))
    inputs = {"target_tokens": whole[1:], "weights": weights}
    return Datum(ModelInput.from_ints(whole[:-1]), inputs)


def _batch(examples: Sequence[Datum], step: int, size: int) -> list[Datum]:
    """The next ones in order, from the first again after the last."""
    start = step * size
    return [
        examples[index % len(examples)] for index in range(start, start + min(size, len(examples)))
    ]


@contextmanager
def _metrics_file(path: str | None) -> Iterator[Any]:
    if path is None:
        yield lambda line: None
        return
    with open(path, "w", encoding="utf-8") as file:

        def written(line: dict[str, Any]) -> None:
            print(json.dumps(line), file=file, flush=True)

        yield written


@contextmanager
def training_bar(terminal: Terminal, steps: int) -> Iterator[Any]:
    """A bar with the loss and its curve on the error stream, if that is a terminal."""
    if not terminal.err.isatty():
        yield lambda done, losses: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=terminal.err)) as bar:
        task = bar.add_task("training", total=steps)

        def moved(done: int, losses: Sequence[float]) -> None:
            text = f"loss {losses[-1]:.4f} {sparkline(losses, 20)}"
            bar.update(task, completed=done, description=text)

        yield moved
