"""What a base install does by itself, and what it says where an extra is missing."""

import json
import urllib.request
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from tests.packaging.environments import Environment
from tests.packaging.test_wheel import serving
from tinker_mock.cli.commands import COMMANDS, extra_of

MODEL = "Qwen/Qwen3-8B"
WITH_EXTRA = [name for name, (path, _) in COMMANDS.items() if extra_of(path)]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def post(url: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
    headers = {"X-API-Key": "tml-base", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/{path}", json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.parametrize(
    "command", [name for name, (path, _) in COMMANDS.items() if extra_of(path)]
)
def test_a_command_without_its_extra_names_it(
    base: Environment, tmp_path: Path, command: str
) -> None:
    done = base.run(base.command, *command.split(), "--help", cwd=tmp_path)
    if done.returncode == 0:  # some need their extra only once they run
        assert done.stdout.startswith("usage:")
        return
    extra = extra_of(COMMANDS[command][0])
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"tinker-mock {command}: needs pip install 'tinker-mock[{extra}]'" in done.stderr


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        ("conformance run --target http://127.0.0.1:9", "conformance"),
        ("proxy --upstream http://127.0.0.1:9 --port 0", "proxy"),
        ("client run list", "client"),
        ("tokenize encode -t models/kimi_k2 hello", "text"),
        ("completion bash", "completion"),
    ],
)
def test_running_it_names_it_too(
    base: Environment, tmp_path: Path, command: str, extra: str
) -> None:
    done = base.run(base.command, *command.split(), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"needs pip install 'tinker-mock[{extra}]'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_other_servers_and_respx_name_theirs(base: Environment, tmp_path: Path) -> None:
    done = base.run(base.command, "serve", "--port", "0", "--server", "granian", cwd=tmp_path)
    assert done.returncode == 2
    assert "pip install 'tinker-mock[servers]'" in done.stderr
    program = "import tinker_mock.server; tinker_mock.server.respx_router()"
    done = base.run(base.python, "-c", program, cwd=tmp_path)
    assert "respx_router needs pip install 'tinker-mock[respx]'" in done.stderr.splitlines()[-1]


def test_a_base_install_trains_samples_and_chats(base: Environment, tmp_path: Path) -> None:
    with serving(base, base.command, "serve", cwd=tmp_path) as url:

        def done(path: str, body: dict[str, Any]) -> Any:
            promise = post(url, f"api/v1/{path}", body)[1]
            return post(url, "api/v1/retrieve_future", {"request_id": promise["request_id"]})[1]

        session = {"tags": [], "user_metadata": None, "sdk_version": "0.38.0"}
        session_id = post(url, "api/v1/create_session", session)[1]["session_id"]
        wanted = {"session_id": session_id, "model_seq_id": 0, "base_model": MODEL}
        model_id = done("create_model", wanted)["model_id"]
        datum = {
            "model_input": {"chunks": [{"type": "encoded_text", "tokens": [5, 6, 7]}]},
            "loss_fn_inputs": {
                "target_tokens": {"data": [6, 7, 8], "dtype": "int64", "shape": [3]},
                "weights": {"data": [1.0, 1.0, 1.0], "dtype": "float32", "shape": [3]},
            },
        }
        work = {"data": [datum], "loss_fn": "cross_entropy"}
        step = {"model_id": model_id, "seq_id": 1, "forward_backward_input": work}
        assert done("forward_backward", step)["metrics"]["loss:sum"] > 0
        prompt = {"chunks": [{"type": "encoded_text", "tokens": [5, 6, 7]}]}
        sampling = {"session_id": session_id, "sampling_session_seq_id": 0, "base_model": MODEL}
        sampler = post(url, "api/v1/create_sampling_session", sampling)[1]["sampling_session_id"]
        limits = {"max_tokens": 4}
        asked = {"sampling_session_id": sampler, "seq_id": 0, "prompt": prompt}
        drawn = done("asample", {**asked, "sampling_params": limits})
        assert 0 < len(drawn["sequences"][0]["tokens"]) <= 4
        saved = {"model_id": model_id, "seq_id": 2, "path": "kept"}
        secret = {**saved, "age_encryption_recipients": ["age1anybody"]}
        assert "pip install 'tinker-mock[age]'" in done("save_weights_external", secret)["error"]

        chat = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 8}
        status, answer = post(url, "oai/api/v1/chat/completions", chat)
        assert (status, answer["choices"][0]["message"]["role"]) == (200, "assistant")
        form = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA}}
        asked = {**chat, "max_tokens": 200, "response_format": form}
        status, answer = post(url, "oai/api/v1/chat/completions", asked)
        assert status == 400
        assert "pip install 'tinker-mock[text]'" in json.dumps(answer)
        script = {"model": MODEL, "pattern": "hi", "completion": "hello"}
        status, answer = post(url, "_mock/scripts", script)
        assert status == 201
        status, answer = post(url, "oai/api/v1/chat/completions", chat)
        assert answer["choices"][0]["message"]["content"] == "hello"
