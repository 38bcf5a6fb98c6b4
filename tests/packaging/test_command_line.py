"""The command line as people type it: help, versions, slips of the hand, and where it may fail."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tinker_mock.cli.commands import COMMANDS, GROUPS

PROGRAM = [sys.executable, "-m", "tinker_mock.cli"]
ANY = ["serve", "--port", "0"]


def run(*words: str, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *words],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "100", **variables},
        capture_output=True,
        encoding=variables.get("PYTHONIOENCODING", "utf-8"),
        timeout=60,
    )


@pytest.mark.parametrize(
    "words", [(), ("help",), ("--help",), ("-h",), ("help", "help"), ("help", "version")]
)
def test_a_bare_program_explains_itself(words: tuple[str, ...]) -> None:
    done = run(*words)
    assert done.returncode == 0
    for name in {path.split()[0] for path in COMMANDS}:
        assert re.search(rf"^  {name} +\S", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("word", ["--version", "-V", "version"])
def test_it_knows_its_version(word: str) -> None:
    assert run(word).stdout == f"tinker-mock {version('tinker-mock')}\n"


@pytest.mark.parametrize("group", [name for name in GROUPS if name])
def test_a_group_lists_its_commands(group: str) -> None:
    spellings = [run(group), run(group, "--help"), run("help", group), run(group, "help")]
    assert {(done.returncode, done.stdout) for done in spellings} == {(0, spellings[0].stdout)}
    for path in COMMANDS:
        if path.startswith(f"{group} "):
            assert f"\n  {path.split()[1]} " in spellings[0].stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    done = run("help", *command.split())
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: tinker-mock {command} ")


def test_help_of_a_command_is_its_own_help() -> None:
    assert run("help", "serve").stdout == run("serve", "--help").stdout


@pytest.mark.parametrize(
    "command", ["serve", "proxy", "conformance run", "audit sdk", "audit client", "record"]
)
def test_help_shows_examples(command: str) -> None:
    _, _, examples = run(*command.split(), "--help").stdout.partition("\nexamples:\n")
    assert examples.count(f"  tinker-mock {command} ") >= 2


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("serv", "serve"),
        ("conformence run", "conformance"),
        ("conformance rum", "run"),
        ("audit clinet", "client"),
        ("--verison", "--version"),
        ("serve --sead 7", "--seed"),
        ("serve --server hypercom", "hypercorn"),
        ("client chekpoint list", "checkpoint"),
        ("client checkpoint list --limt 3", "--limit"),
        ("tokenize encod -t mock x", "encode"),
    ],
)
def test_slips_are_answered_with_what_was_meant(typed: str, meant: str) -> None:
    done = run(*typed.split())
    assert done.returncode == 2
    assert f"did you mean {meant}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_word_like_no_command_gets_the_list() -> None:
    done = run("conformance", "xyzzy")
    assert done.returncode == 2
    assert "no command 'xyzzy'; there are run, provider," in done.stderr


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Files that cannot be used for what they are given as."""
    (tmp_path / "bytes.yaml").write_bytes(bytes(range(128, 256)))
    (tmp_path / "torn.yaml").write_text("models: [1\n")
    (tmp_path / "number.yaml").write_text("models: {me/tiny: 7}\n")
    size = "{vocabulary_size: many, context_length: 5, end_tokens: [1]}"
    (tmp_path / "words.yaml").write_text(f"models: {{me/tiny: {size}}}\n")
    end = "{vocabulary_size: 50, context_length: 5, end_tokens: 1}"
    (tmp_path / "end.yaml").write_text(f"models: {{me/tiny: {end}}}\n")
    (tmp_path / "empty.pem").write_text("")
    (tmp_path / "folder.yaml").mkdir()
    return tmp_path


@pytest.mark.parametrize("command", ["serve", "proxy --upstream http://127.0.0.1:9"])
@pytest.mark.parametrize("port", ["65536", "-1", "x"])
def test_a_wrong_port_is_said(command: str, port: str) -> None:
    done = run(*command.split(), "--port", port)
    assert done.returncode == 2
    assert f"{port!r} is no port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("serve", "--port", str(port))
    assert done.returncode == 2
    assert f"cannot bind 127.0.0.1:{port}" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--certfile absent.pem", "--certfile absent.pem: no such file"),
        ("--certfile empty.pem --keyfile absent.pem", "--keyfile absent.pem: no such file"),
        ("--certfile empty.pem", "no certificate with key"),
        ("--keyfile empty.pem", "--keyfile needs --certfile"),
        ("--models absent.yaml", "absent.yaml"),
        ("--models folder.yaml", "folder.yaml"),
        ("--models bytes.yaml", "bytes.yaml"),
        ("--models torn.yaml", "torn.yaml"),
        ("--models number.yaml", "me/tiny: expected a mapping, got 7"),
        ("--models words.yaml", "vocabulary_size must be a whole number from 1 to"),
        ("--models end.yaml", "end_tokens must be a list"),
        ("--scenario bytes.yaml", "bytes.yaml"),
        ("--scenario folder.yaml", "folder.yaml"),
        ("--scenario flakey-network", "did you mean flaky-network?"),
    ],
)
def test_files_that_cannot_be_used_are_said(files: Path, options: str, said: str) -> None:
    done = run(*ANY, *options.split(), cwd=files)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("replay nope.yaml", "tinker-mock replay: nope.yaml: No such file or directory"),
        (
            "audit client --situation healthy -- no-such-program",
            "tinker-mock audit client: no-such-program: No such file or directory",
        ),
        ("audit sdk 9.9.9", "tinker-mock audit sdk: no tinker 9.9.9 under "),
        ("record --client tinker-9.9.9", "tinker-mock record: no tinker 9.9.9 under "),
    ],
)
def test_what_is_not_there_is_said(words: str, said: str) -> None:
    done = run(*words.split())
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


HEEDING = [
    sys.executable,
    "-c",
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL);"
    "os.execv(sys.argv[1], sys.argv[1:])",
]
"""Runs a command that can be interrupted: a shell's background jobs, tests among them, may not."""


def test_an_interrupted_judgement_ends_at_once() -> None:
    """Though its scenarios are in the middle of waits of half a minute."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with subprocess.Popen(
            [*HEEDING, *PROGRAM, "conformance", "run", "--target", target],
            stdout=subprocess.DEVNULL,
        ) as program:
            silent.accept()[0].close()  # it is at work
            program.send_signal(signal.SIGINT)
            try:
                assert program.wait(20) == 130
            finally:
                program.kill()


def test_one_file_may_hold_certificate_and_key(tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    make = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -keyout key -out crt"
    subprocess.run(make.split(), cwd=tmp_path, check=True, capture_output=True)
    both.write_text((tmp_path / "key").read_text() + (tmp_path / "crt").read_text())
    with subprocess.Popen(
        [*PROGRAM, *ANY, "--certfile", str(both)], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout
        assert server.stdout.readline().startswith("tinker-mock ready at https://")
        server.terminate()
        server.communicate(timeout=30)
    assert server.returncode == 0


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", ["--help", "conformance list"])
def test_a_reader_may_leave_early(words: str, unbuffered: str) -> None:
    with subprocess.Popen(
        [*PROGRAM, *words.split()],
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdout
        assert writer.stderr
        writer.stdout.close()
        said = writer.stderr.read()
    assert (writer.returncode, said) == (141, "")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_narrow_encodings_lose_marks_and_no_lines(encoding: str, tmp_path: Path) -> None:
    wide = run("conformance", "run", "--help", PYTHONIOENCODING="utf-8").stdout
    narrow = run("conformance", "run", "--help", PYTHONIOENCODING=encoding)
    assert narrow.returncode == 0, narrow.stderr
    assert narrow.stdout.count("\n") == wide.count("\n")
    text = run("tokenize", "decode", "-t", "mock", "1", PYTHONIOENCODING=encoding, LANG="C")
    assert "Traceback" not in text.stderr


def test_tokenized_text_survives_a_narrow_pipe() -> None:
    word = "naïve ✓ 漢"
    encode = ["tokenize", "encode", "-t", "mock", "--as", "pieces", word]
    done = run(*encode, PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()


@pytest.mark.parametrize(("value", "coloured"), [("", True), ("1", False)])
def test_no_color_is_respected(value: str, coloured: bool, tmp_path: Path) -> None:
    master, terminal = os.openpty()
    words = ["conformance", "tokenizer", "-t", "mock", "--offline"]
    with subprocess.Popen(
        [*PROGRAM, *words], stdout=terminal, env={**os.environ, "NO_COLOR": value}
    ) as judge:
        os.close(terminal)
        said = b""
        try:
            while chunk := os.read(master, 65536):
                said += chunk
        except OSError:  # Linux says EIO where a terminal's other end has closed
            pass
    os.close(master)
    assert judge.returncode in (0, 1)
    assert (b"\x1b[" in said) == coloured


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_shells_complete_commands_and_options(shell: str, tmp_path: Path) -> None:
    done = run("completion", shell)
    assert done.returncode == 0, done.stderr
    for word in ("serve", "conformance", "baseline", "--scenario", "checkpoint"):
        assert word in done.stdout
    if shutil.which(shell):
        script = tmp_path / "script"
        script.write_text(done.stdout)
        subprocess.run([shell, "-n", str(script)], check=True)


def test_help_imports_no_command() -> None:
    program = (
        "import sys, tinker_mock.cli\n"
        "tinker_mock.cli.main(['help'])\n"
        "assert not [name for name in sys.modules"
        " if name.startswith(('tinker_mock.suite', 'tinker_mock.server', 'tinker_mock.client'))]"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
