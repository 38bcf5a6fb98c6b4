"""The command line, over a scripted server."""

import io
import json
from argparse import ArgumentParser
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from tinker_mock.client import AsyncServiceClient, ManualClock
from tinker_mock.client.commands import formats
from tinker_mock.client.commands.client import add_arguments, main
from tinker_mock.client.commands.terminal import Terminal
from tinker_mock.client.types.json import decode
from tinker_mock.client.types.records import Checkpoint
from tinker_mock.client.types.results import SampledSequence
from tinker_mock.suite.vectors.client.stage import MODEL, Component, Script, config
from tinker_mock.suite.vectors.comparison import Partial

_TIME = "2025-11-26T00:00:00Z"
_WEIGHTS = {"base_model": "meta-llama/Llama-3.1-8B", "is_lora": True, "lora_rank": 16}


def checkpoint(run_id: str, number: int, **more: Any) -> dict[str, Any]:
    return {
        "checkpoint_id": f"ckpt-{run_id}-{number}",
        "checkpoint_type": "weights",
        "size_bytes": 1024,
        "public": True,
        "time": _TIME,
        "tinker_path": f"tinker://{run_id}/weights/{number:04d}",
        **more,
    }


_ALL = [checkpoint("run-a", 1), checkpoint("run-a", 2), checkpoint("run-c", 1)]
_RUN_B = {
    "training_run_id": "run-b",
    "base_model": "base",
    "model_owner": "owner-b",
    "is_lora": True,
    "lora_rank": 8,
    "corrupted": True,
    "last_request_time": _TIME,
    "last_checkpoint": checkpoint("run-a", 2),
    "user_metadata": {"stage": "dev"},
}


class Console:
    """Runs commands over a script and keeps what they say."""

    def __init__(self, answers: dict[str, Any], stdin: str = "") -> None:
        self.script = Script(answers)
        self.out, self.err = io.StringIO(), io.StringIO()
        self.options: dict[str, Any] = {}
        self.terminal = Terminal(
            out=self.out,
            err=self.err,
            answers=io.StringIO(stdin),
            open_service=self._open,
            now=lambda: datetime(2025, 1, 1, tzinfo=UTC),
            program="tinkex",
            version="9.9.9",
        )

    def _open(self, **options: Any) -> AsyncServiceClient:
        ours = {"api_key", "base_url", "preset"}
        limits = {name: value for name, value in options.items() if name not in ours}
        return AsyncServiceClient(config(**limits), http=self.script, clock=ManualClock())

    def run(self, *argv: str) -> int:
        with redirect_stdout(self.out), redirect_stderr(self.err):
            try:
                return main(argv, self.terminal)
            except SystemExit as exit_:
                return int(exit_.code or 0)

    def seen(self, code: int) -> Any:
        return Partial(exit=code, stdout=self.out.getvalue(), stderr=self.err.getvalue())


def cli(given: Any, entry: Any) -> Any:
    name = entry["name"]
    if name.startswith("humanized time"):
        now = datetime(2026, 3, 11, tzinfo=UTC)
        return formats.relative_time(datetime.fromisoformat(given), now)
    return _BY_NAME[name](given, entry)


def _save(given: Any, entry: Any) -> Any:
    answers = {
        **MODEL,
        "create_model": {"model_id": given["save_response"]["model_id"], "type": "create_model"},
        "save_weights": {**given["save_response"], "status": None, "type": "save_weights"},
    }
    console = Console(answers)
    with TemporaryDirectory() as directory:
        output = Path(directory) / "out.json"
        argv = [str(output) if word == "OUT" else word for word in given["argv"]]
        assert console.run(*argv) == 0, console.err.getvalue()
        record = json.loads(output.read_text())
    assert record["response"]["path"] == given["save_response"]["path"]
    lora = console.script.bodies("create_model")[0]["lora_config"]
    expected = entry["expected"]["lora"]
    return {
        "file": record | {"response": "<map>"},
        "lora": {key: lora[key] for key in expected},
        "save_timeout": round(_parsed(given["argv"]).timeout),
    }


def _parsed(argv: list[str]) -> Any:
    parser = ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(argv)


def _version(given: Any, entry: Any) -> Any:
    console = Console({})
    assert console.run(*given["argv"]) == 0
    text = console.out.getvalue().strip()
    return json.loads(text) if "--json" in given["argv"] else text


def _help(given: Any, _entry: Any) -> Any:
    console = Console({})
    code = console.run(*given["argv"])
    seen = console.seen(code)
    seen["stdout"] = seen["stdout"].replace("usage:", "Usage:")
    return seen


def _list(given: Any, _entry: Any) -> Any:
    def page(request: httpx.Request) -> Any:
        limit, offset = (int(request.url.params[name]) for name in ("limit", "offset"))
        cursor = {"offset": offset, "limit": limit, "total_count": len(_ALL)}
        return {"checkpoints": _ALL[offset : offset + limit], "cursor": cursor}

    console = Console({"checkpoints": [page, page, page]})
    console.terminal.page_size = 2
    seen = console.seen(console.run(*given["argv"]))
    asked = [
        [int(one.url.params["limit"]), int(one.url.params["offset"])]
        for one in console.script.requests
    ]
    return Partial(seen | {"stdout_json": _counted(seen["stdout"]), "requests": asked})


def _counted(text: str) -> Any:
    body = json.loads(text)
    return Partial(body | {"checkpoints": len(body["checkpoints"])})


def _list_run(given: Any, _entry: Any) -> Any:
    listed = [one for one in _ALL if "run-a" in one["tinker_path"]]
    console = Console({"training_runs/run-a/checkpoints": {"checkpoints": listed}})
    seen = console.seen(console.run(*given["argv"]))
    asked = console.script.requests[-1].url.path.split("/")
    request = f"list_{asked[-1]}({asked[-2]})"
    return {"stdout_json": _counted(seen["stdout"]), "request": request}


def _info(given: Any, _entry: Any) -> Any:
    listed = {"checkpoints": [checkpoint("run-a", 1)]}
    console = Console({"training_runs/run-a/checkpoints": listed, "weights_info": _WEIGHTS})
    console.run(*given["argv"])
    return Partial(json.loads(console.out.getvalue()))


def _run_info(given: Any, _entry: Any) -> Any:
    console = Console({"training_runs/run-b": _RUN_B})
    return console.seen(console.run(*given["argv"]))


def _deletions(*answers: int) -> dict[str, Any]:
    paths = [f"training_runs/run-{n}/checkpoints/weights/000{n}" for n in range(1, 3)]
    return {
        path: {"status": status, "body": {"message": "failed delete"} if status >= 400 else {}}
        for path, status in zip(paths, answers, strict=False)
    }


def _delete(given: Any, entry: Any) -> Any:
    console = Console(_deletions(200))
    return console.seen(console.run(*given["argv"]))


def _delete_declined(given: Any, _entry: Any) -> Any:
    console = Console(_deletions(200), stdin=given["stdin"])
    code = console.run("checkpoint", "delete", "tinker://run-1/weights/0001")
    return Partial(console.seen(code) | {"requests": len(console.script.requests)})


def _delete_invalid(given: Any, _entry: Any) -> Any:
    console = Console(_deletions(200))
    code = console.run(*given["argv"])
    return Partial(console.seen(code) | {"requests": len(console.script.requests)})


def _delete_failing(given: Any, _entry: Any) -> Any:
    status, _, message = given["second"].partition(" ")
    answers = _deletions(200, int(status))
    list(answers.values())[1]["headers"] = {"x-should-retry": "false"}
    list(answers.values())[1]["body"] = {"message": message}
    console = Console(answers)
    paths = [f"tinker://run-{n}/weights/000{n}" for n in (1, 2)]
    seen = console.seen(console.run("checkpoint", "delete", *paths, "--yes"))
    counts = {
        "deleted": seen["stdout"].count("\nDeleted "),
        "failed": seen["stderr"].count("Delete failed"),
    }
    return Partial(seen | counts)


def _conflict(given: Any, _entry: Any) -> Any:
    console = Console({})
    return console.seen(console.run(*given["argv"]))


def _user_error(given: Any, _entry: Any) -> Any:
    error = given["error"]
    body = {"message": error["message"], "category": error["category"]}
    console = Console({**MODEL, "create_model": {"status": error["status"], "body": body}})
    with TemporaryDirectory() as directory:
        output = Path(directory) / "out.json"
        code = console.run("checkpoint", "--base-model", "m", "--output", str(output))
        written = output.exists()
    assert error["message"] in console.err.getvalue()
    return Partial(console.seen(code) | {"file_written": written})


_BY_NAME: dict[str, Component] = {
    "checkpoint save metadata file": _save,
    "delete --yes": _delete,
    "--help": _help,
    "checkpoint info json": _info,
    "delete declined": _delete_declined,
    "version --json without git": _version,
    "checkpoint list --limit 0 --format json (page size 2, total 3)": _list,
    "run info text": _run_info,
    "checkpoint list --run-id": _list_run,
    "delete failure aggregated": _delete_failing,
    "--prompt and --prompt-file conflict": _conflict,
    "user error guidance": _user_error,
    "version --deps": _version,
    "delete path validation": _delete_invalid,
}


def cli_format(given: Any, entry: Any) -> Any:
    name = entry["name"]
    if name == "size":
        return formats.size_text(given)
    if name == "status":
        return formats.status_text(given["corrupted"])
    if name == "lora":
        return formats.lora_text(given.get("is_lora"), given.get("lora_rank"))
    if name == "checkpoint table with run id":
        return formats.checkpoint_table([], 0, given)[0].replace("0/0", "<shown>/<total>")
    if name == "checkpoint table":
        one = decode(Checkpoint, given["checkpoint"])
        return formats.checkpoint_table([one] * given["shown"], given["total"])
    sequence = SampledSequence([], given["logprobs"], given["stop_reason"])
    return formats.sample_block(1, given["text"], sequence)


COMPONENTS: dict[str, Component] = {"CLI": cli, "CLI.format": cli_format}
