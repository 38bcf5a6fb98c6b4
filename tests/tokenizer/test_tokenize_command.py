"""`tinker-mock tokenize`."""

import io
import json
from pathlib import Path

import pytest

from tests.tokenizer.texts import FIXTURES
from tinker_mock.cli import main

KIMI = str(FIXTURES / "kimi_small")
CHATML = str(FIXTURES / "bytelevel_small")
Capture = pytest.CaptureFixture[str]


def told(capsys: Capture, *arguments: str) -> str:
    assert main(["tokenize", *arguments]) == 0
    return capsys.readouterr().out


def test_encode_prints_ids_pieces_or_their_number(capsys: Capture) -> None:
    assert told(capsys, "encode", "-t", KIMI, "Hello 世").startswith("545 32 ")
    rows = json.loads(told(capsys, "encode", "-t", KIMI, "--as", "pieces", "--json", "Hello 𝄞"))
    assert rows[0] == {"id": 545, "text": "Hello"}
    assert (
        b"".join(
            bytes.fromhex(row["bytes"]) if "bytes" in row else row["text"].encode() for row in rows
        )
        == "Hello 𝄞".encode()
    )
    count = told(capsys, "encode", "-t", KIMI, "--as", "count", "Hello 𝄞")
    assert int(count) == len(rows)


def test_encode_and_decode_are_inverse_through_files_and_stdin(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (FIXTURES / "corpus.txt").read_text("utf-8")
    path = tmp_path / "text"
    path.write_text(text, "utf-8")
    ids = told(capsys, "encode", "-t", KIMI, "--json", "--file", str(path))
    monkeypatch.setattr("sys.stdin", io.StringIO(ids))
    assert told(capsys, "decode", "-t", KIMI) == text


def test_specials_can_be_text(capsys: Capture) -> None:
    special = json.loads(told(capsys, "encode", "-t", KIMI, "--json", "<|im_end|>"))
    spelled = json.loads(told(capsys, "encode", "-t", KIMI, "--json", "--no-special", "<|im_end|>"))
    assert len(special) == 1 < len(spelled)
    assert told(capsys, "decode", "-t", KIMI, "--skip-special", *map(str, special)) == ""


def test_stream_shows_what_each_token_releases_up_to_the_stop(capsys: Capture) -> None:
    ids = [str(byte) for byte in "aé.b".encode()]
    value = json.loads(told(capsys, "stream", "-t", KIMI, "--json", "--stop", ".", *ids))
    assert [(row["token"], row["output"], row["text"]) for row in value["steps"]] == [
        ("97", "text", "a"),
        ("195", "held", ""),
        ("169", "text", "é"),
        ("46", "stopped", ""),
    ]
    assert value["stopped_by"] == "."
    assert told(capsys, "stream", "-t", KIMI, "195").splitlines()[-1] == "end\ttext\t'�'"


def test_render_takes_a_conversation_with_tools_and_variables(
    capsys: Capture, tmp_path: Path
) -> None:
    messages = [{"role": "user", "content": "Hi"}]
    text = told(capsys, "render", "-t", CHATML, "--generation-prompt", json.dumps(messages))
    assert text == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    template = tmp_path / "t.jinja"
    template.write_text("{{ tools | length }}{{ style }}")
    tools = tmp_path / "tools.json"
    tools.write_text('[{"type": "function"}]')
    options = ("--chat-template", str(template), "--tools", str(tools), "--set", 'style="x"')
    value = json.loads(
        told(capsys, "render", "-t", CHATML, "--json", *options, json.dumps(messages))
    )
    assert (value["text"], value["content_format"]) == ("1x", "string")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("decode", "-t", KIMI, "one"), "must be integers"),
        (("decode", "-t", KIMI, "999999"), "No token has the id"),
        (("encode", "-t", "/nowhere/x.json", "a"), "File not found"),
        (("encode", "-t", KIMI, "--file", "/nowhere"), "No such file"),
        (("render", "-t", CHATML, "{"), "is not JSON"),
        (("render", "-t", CHATML, "3"), "list of messages"),
        (("render", "-t", "mock", "[]"), "chat_template"),
    ],
)
def test_mistakes_are_told_and_exit_2(
    capsys: Capture, arguments: tuple[str, ...], words: str
) -> None:
    assert main(["tokenize", *arguments]) == 2
    assert words in capsys.readouterr().err
