"""`tinker-mock run`: a program against its own mock, and what it may not reach."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tinker_mock.suite.sdk.environment import EnvironmentMissing, newest, process

PROGRAM = [sys.executable, "-m", "tinker_mock.cli", "run"]
ASK = """
import os, httpx
answer = httpx.post(os.environ["TINKER_BASE_URL"] + "/api/v1/create_session", json=BODY,
                    headers={"X-API-Key": os.environ["TINKER_API_KEY"]})
print(answer.status_code)
""".replace("BODY", '{"tags": [], "user_metadata": {}, "sdk_version": "0.38.0"}')
PRODUCTION = "https://tinker.thinkingmachines.dev/services/tinker-prod"


def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables}
    return subprocess.run(
        [*PROGRAM, *words], env=environment, capture_output=True, text=True, timeout=60
    )


def test_the_command_finds_the_mock_and_never_a_real_key() -> None:
    program = (
        "import os\n"
        "for name in sorted(os.environ):\n"
        "    if name.startswith(('TINKER_', 'OPENAI_', 'ANTHROPIC_')):\n"
        "        print(name, os.environ[name])"
    )
    done = run("--", sys.executable, "-c", program, TINKER_API_KEY="tml-real", OPENAI_API_KEY="sk")
    told = dict(line.split() for line in done.stdout.splitlines())
    base = told["TINKER_BASE_URL"]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", base)
    assert told["OPENAI_BASE_URL"] == f"{base}/oai/api/v1"
    assert told["ANTHROPIC_BASE_URL"] == f"{base}/anthropic/api"
    keys = {value for name, value in told.items() if name.endswith("_KEY")}
    assert keys == {"tml-mock"}


def test_it_sums_up_what_was_said() -> None:
    done = run("--", sys.executable, "-c", ASK)
    assert (done.returncode, done.stdout) == (0, "200\n"), done.stderr
    assert done.stderr == "tinker-mock: 1 exchange, 0 violations\n"


@pytest.mark.parametrize(
    ("program", "code"),
    [("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 137)],
)
def test_it_ends_as_the_command_does(program: str, code: int) -> None:
    assert run("--", sys.executable, "-c", program).returncode == code


def test_a_violation_fails_a_command_that_passed() -> None:
    program = ASK.replace('"tags": []', '"tags": 3')
    assert run("--", sys.executable, "-c", program).returncode == 0
    assert run("--fail-on", "violation", "--", sys.executable, "-c", program).returncode == 1


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["--", "no-such-program-anywhere"], 127, "no-such-program-anywhere: no such program"),
        (["--", "/"], 126, "/: "),
        (["--intercept-host", "a.example", "--", "true"], 2, "--intercept-host needs --intercept"),
        (["--scenario", "nope", "--", "true"], 2, "nope"),
        ([], 2, "COMMAND"),
    ],
)
def test_slips_are_told_in_a_line(words: list[str], code: int, sentence: str) -> None:
    done = run(*words)
    assert done.returncode == code
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_a_signal_reaches_the_command() -> None:
    program = (
        "import signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\n"
        "print('up', flush=True)\n"
        "signal.pause()"
    )
    process = subprocess.Popen(
        [*PROGRAM, "--", sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 5
    process.stdout.close()


def test_the_traffic_can_be_kept(tmp_path: Path) -> None:
    kept = tmp_path / "kept.yaml"
    assert run("--record", str(kept), "--", sys.executable, "-c", ASK).returncode == 0
    (exchange,) = yaml.safe_load(kept.read_text())["interactions"]
    assert exchange["request"]["uri"].endswith("/api/v1/create_session")
    lost = run("--record", str(tmp_path / "no" / "x"), "--", sys.executable, "-c", ASK)
    assert lost.returncode == 2
    assert "No such file or directory" in lost.stderr


@pytest.mark.parametrize("client", ["httpx", "requests", "urllib", "curl"])
def test_the_production_address_is_answered_here(client: str) -> None:
    address = f"{PRODUCTION}/api/v1/healthz"
    programs = {
        "httpx": f"import httpx; print(httpx.get({address!r}).json()['status'])",
        "requests": f"import requests; print(requests.get({address!r}).json()['status'])",
        "urllib": f"import urllib.request as u; print(u.urlopen({address!r}).read())",
    }
    pytest.importorskip("trustme")
    if client == "curl":
        command = ["curl", "-sS", address]
    else:
        if client != "urllib":
            pytest.importorskip(client)
        command = [sys.executable, "-c", programs[client]]
    done = run("--intercept", "--", *command)
    assert done.returncode == 0, done.stderr
    assert "ok" in done.stdout
    assert "1 connection to the production address answered" in done.stderr


def test_nothing_else_leaves_the_machine() -> None:
    pytest.importorskip("trustme")
    program = (
        "import httpx\n"
        "for address in ('https://example.com/', 'http://example.com/', 'https://1.2.3.4:99/'):\n"
        "    try:\n"
        "        print(httpx.get(address).status_code)\n"
        "    except httpx.ProxyError as error:\n"
        "        print(error)"
    )
    done = run("--intercept", "--", sys.executable, "-c", program)
    assert done.stdout.splitlines() == ["403 Forbidden", "403", "403 Forbidden"]
    refused = {line.split()[-1] for line in done.stderr.splitlines() if "refused" in line}
    assert refused == {"example.com:443", "http://example.com/", "1.2.3.4:99"}


def test_further_hosts_can_be_answered_for() -> None:
    pytest.importorskip("trustme")
    program = "import httpx; print(httpx.get('https://tinker.corp.example/api/v1/healthz').text)"
    words = ["--intercept", "--intercept-host", "tinker.corp.example", "--"]
    assert "ok" in run(*words, sys.executable, "-c", program).stdout


def test_an_openai_client_with_the_address_written_in() -> None:
    pytest.importorskip("trustme")
    pytest.importorskip("openai")
    program = (
        "from openai import OpenAI\n"
        f"client = OpenAI(base_url='{PRODUCTION}/oai/api/v1')\n"
        "print(len(client.models.list().data) > 5)"
    )
    assert run("--intercept", "--", sys.executable, "-c", program).stdout == "True\n"


def test_an_anthropic_client_with_the_address_written_in() -> None:
    pytest.importorskip("trustme")
    pytest.importorskip("anthropic")
    program = (
        "from anthropic import Anthropic\n"
        f"client = Anthropic(base_url='{PRODUCTION}/anthropic/api')\n"
        "said = client.messages.create(model='Qwen/Qwen3-8B', max_tokens=4,\n"
        "                              messages=[{'role': 'user', 'content': 'Hello'}])\n"
        "print(said.usage.output_tokens)"
    )
    done = run("--intercept", "--", sys.executable, "-c", program)
    assert done.stdout.strip() in ("1", "2", "3", "4"), done.stderr


@pytest.mark.parametrize("release", ["0.7.0", newest()])
def test_an_sdk_at_its_own_default_address(release: str) -> None:
    """The oldest speaks through httpx, the newest through pyqwest."""
    pytest.importorskip("trustme")
    try:
        python, variables = process(release)
    except EnvironmentMissing as missing:
        pytest.skip(str(missing))
    program = (
        "import os; del os.environ['TINKER_BASE_URL']\n"
        "import tinker\n"
        "print(len(tinker.ServiceClient().get_server_capabilities().supported_models) > 5)"
    )
    done = run("--intercept", "--", python, "-c", program, **variables)
    assert done.stdout == "True\n", done.stderr
    assert "to the production address answered" in done.stderr


def test_it_works_where_there_is_no_network_at_all() -> None:
    """A network namespace of its own has a loopback device and nothing else."""
    pytest.importorskip("trustme")
    pytest.importorskip("openai")
    alone = ["unshare", "--user", "--map-root-user", "--net", "sh", "-c"]
    up = 'ip link set lo up && exec "$@"'
    try:
        subprocess.run([*alone, up, "sh", "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no network namespace can be made here")
    program = (
        "from openai import OpenAI\n"
        f"client = OpenAI(base_url='{PRODUCTION}/oai/api/v1')\n"
        "said = client.completions.create(model='Qwen/Qwen3-8B', prompt='One, two', max_tokens=3)\n"
        "print(said.usage.completion_tokens)"
    )
    words = [*PROGRAM, "--intercept", "--", sys.executable, "-c", program]
    done = subprocess.run([*alone, up, "sh", *words], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() in ("1", "2", "3"), done.stderr


# --- the log -----------------------------------------------------------------------------------


def test_a_pipe_gets_no_lines_and_json_when_asked() -> None:
    wrong = ASK.replace('"tags": []', '"tags": 3')
    quiet = run("--", sys.executable, "-c", wrong).stderr
    assert "create_session" not in quiet.splitlines()[0]
    done = run("--log", "json", "--", sys.executable, "-c", wrong)
    line = json.loads(done.stderr.splitlines()[0])
    assert (line["operation"], line["status"], line["verdict"]) == (
        "create_session",
        422,
        "request",
    )
    assert line["violations"][0]["pointer"] == "/tags"


def test_a_refusal_stands_out_and_says_the_fix() -> None:
    program = ASK.replace("/create_session", "/retrieve_future").replace(
        '"tags": []', '"request_id": "none", "tags": []'
    )
    log = run("--log", "text", "--", sys.executable, "-c", program).stderr.splitlines()
    assert re.match(r"\d\d:\d\d:\d\d [!✗] 4\d\d +\d+ ms  retrieve_future", log[0])
    assert "fix: " in log[1]


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_a_terminal_gets_coloured_lines(no_color: str, coloured: bool) -> None:
    master, terminal = pty.openpty()
    command = [*PROGRAM, "--", sys.executable, "-c", ASK]
    environment = {**os.environ, "NO_COLOR": no_color}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=terminal, env=environment):
        os.close(terminal)
        said = b""
        try:
            while chunk := os.read(master, 65536):
                said += chunk
        except OSError:  # Linux says EIO where a terminal's other end has closed
            pass
    os.close(master)
    assert b"create_session" in said
    assert (b"\x1b[32m" in said) == coloured
