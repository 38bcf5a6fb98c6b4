"""Downloads through huggingface_hub, from a hub of our own on this machine."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.tokenizer.texts import FIXTURES, ROOT

REPOSITORIES = {
    "org/open": FIXTURES / "bytelevel_small",
    "org/kimi": FIXTURES / "kimi_small",
    "org/gated": FIXTURES / "bytelevel_small",
    "org/empty": ROOT / "tests",
}
NOISE = ("model.safetensors", "README.md", "original/tokenizer.json", "picture.png", "x.model")
REQUESTED: list[str] = []
TOKEN = "hf_secret"


class Hub(BaseHTTPRequestHandler):
    """Listings and files, HEAD and GET, as the hub answers."""

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, with_body: bool) -> None:
        parts = self.path.split("?")[0].strip("/").split("/")
        listing = parts[:2] == ["api", "models"]
        repo = "/".join(parts[2:4] if listing else parts[:2])
        if repo not in REPOSITORIES:
            self._send(404, error="RepoNotFound")
        elif repo == "org/gated" and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._send(401, error="GatedRepo")
        elif listing:
            files = [{"rfilename": name} for name in (*NOISE, *os.listdir(REPOSITORIES[repo]))]
            self._send(200, json.dumps({"id": repo, "siblings": files}).encode())
        else:
            path = REPOSITORIES[repo] / parts[-1]
            REQUESTED.append(parts[-1])
            self._send(200, path.read_bytes(), with_body=with_body)

    def _send(
        self, status: int, body: bytes = b"", error: str = "", with_body: bool = True
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Repo-Commit", "c" * 40)
        self.send_header("ETag", f'"{hash(body) & 0xFFFFFFFF:08x}"')
        if error:
            self.send_header("X-Error-Code", error)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def tokenize(hub: str, cache: Path, *arguments: str, token: str = "") -> tuple[int, str, str]:
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("HF_")},
        "HF_ENDPOINT": hub,
        "HF_HOME": str(cache / "home"),
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_XET": "1",
        **({"HF_TOKEN": token} if token else {}),
    }
    command = [sys.executable, "-m", "tinker_mock.cli", "tokenize", "encode", "--json"]
    done = subprocess.run(
        [*command, "--cache-dir", str(cache), *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_model_is_downloaded_once_and_found_again_offline(hub: str, tmp_path: Path) -> None:
    REQUESTED.clear()
    code, out, err = tokenize(hub, tmp_path, "-t", "org/kimi", "Hello")
    assert (code, json.loads(out or "0")) == (0, [545]), err
    assert set(REQUESTED) == {"tiktoken.model", "tokenizer_config.json"}
    assert tokenize("http://127.0.0.1:9", tmp_path, "-t", "org/kimi", "--offline", "Hello")[:2] == (
        0,
        out,
    )


def test_gated_models_need_a_token(hub: str, tmp_path: Path) -> None:
    code, _, err = tokenize(hub, tmp_path, "-t", "org/gated", "Hello")
    assert code == 2
    assert "HF_TOKEN" in err
    assert tokenize(hub, tmp_path, "-t", "org/gated", "Hello", token=TOKEN)[0] == 0


def test_repositories_without_a_tokenizer_say_what_was_looked_for(hub: str, tmp_path: Path) -> None:
    code, _, err = tokenize(hub, tmp_path, "-t", "org/empty", "Hello")
    assert (code, "tokenizer.json" in err, "tiktoken.model" in err) == (2, True, True)
    code, _, err = tokenize(hub, tmp_path, "-t", "org/unknown", "Hello")
    assert (code, "org/unknown" in err) == (2, True)


def test_an_unreachable_hub_is_told_as_such(tmp_path: Path) -> None:
    code, _, err = tokenize("http://127.0.0.1:9", tmp_path, "-t", "org/open", "Hello")
    assert (code, "could not be downloaded" in err, "Traceback" in err) == (2, True, False)
