"""`tinker-mock tokenize`: encode, decode, stream or render, with any tokenizer.

examples:
  tinker-mock tokenize encode --tokenizer models/kimi_k2 'Hello, world'
  tinker-mock tokenize encode -t gpt-4 --as pieces --file notes.txt
  tinker-mock tokenize decode -t models/kimi_k2 19180 11 2695
  tinker-mock tokenize stream -t models/kimi_k2 --stop '\\n' 19180 11 2695
  tinker-mock tokenize render -t models/qwen3 --generation-prompt --file conversation.json
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tinker_mock.tokenizer import (
    LoadedTokenizer,
    LoadOptions,
    StopSequenceDecoder,
    StopSequences,
    Tokenizer,
    TokenizerError,
    load_tokenizer,
)

Action = Callable[[LoadedTokenizer, argparse.Namespace], tuple[Any, str]]
Options = Callable[[argparse.ArgumentParser], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, (_, what, own_options) in ACTIONS.items():
        action = actions.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.")
        _add_common(action)
        own_options(action)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "input", nargs="*", help="the input; without it and --file, standard input is read"
    )
    parser.add_argument(
        "-t",
        "--tokenizer",
        required=True,
        metavar="NAME",
        help="file, directory, OpenAI model, Hugging Face id, or 'mock'",
    )
    parser.add_argument("--file", type=Path, help="read the input from a file")
    parser.add_argument("--json", action="store_true", help="print one JSON value")
    parser.add_argument("--revision", help="of a Hugging Face repository")
    parser.add_argument("--cache-dir", type=Path, help="where downloads are kept")
    parser.add_argument("--offline", action="store_true", default=None, help="download nothing")
    parser.add_argument("--chat-template", type=Path, help="a template file to use instead")
    parser.add_argument(
        "--chunking", action="store_true", help="cut long texts as Kimi's official wrapper does"
    )


def _encode_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--as",
        dest="shape",
        choices=("ids", "pieces", "offsets", "count"),
        default="ids",
        help="what to print: token ids, (id, text) pairs, places in the text, or how many",
    )
    parser.add_argument(
        "--no-special", action="store_true", help="special tokens written in a text are text"
    )
    parser.add_argument(
        "--add-special", action="store_true", help="add what the model wants around a text"
    )


def _decode_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--skip-special", action="store_true", help="leave special tokens out")


def _stream_options(parser: argparse.ArgumentParser) -> None:
    _decode_options(parser)
    for name, what in (("stop", "cut from the text"), ("visible-stop", "kept in the text")):
        parser.add_argument(
            f"--{name}",
            action="append",
            default=[],
            type=unescaped,
            metavar="TEXT",
            help=f"a string that ends it, {what}; \\n, \\t, \\\\ and \\uXXXX are escapes",
        )
    parser.add_argument(
        "--stop-token", action="append", default=[], type=int, help="an id that ends it"
    )


def unescaped(text: str) -> str:
    """A shell's word with backslash escapes, as in Python."""
    try:
        return text.encode("latin-1", "backslashreplace").decode("unicode_escape")
    except UnicodeDecodeError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error.reason}") from error


def _render_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--generation-prompt", action="store_true", help="open the answer's turn")
    parser.add_argument(
        "--continue",
        dest="continue_final_message",
        action="store_true",
        help="end inside the last message, for the model to go on",
    )
    parser.add_argument(
        "--template", metavar="NAME", help="one of the model's named templates, such as tool_use"
    )
    parser.add_argument("--tools", type=Path, help="a JSON file with a list of tools")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=JSON",
        help="a variable of the template, such as enable_thinking=false",
    )


def run(arguments: argparse.Namespace) -> int:
    """0, or 2 with a message for a tokenizer or an input that cannot be used."""
    options = LoadOptions(
        chat_template=arguments.chat_template,
        revision=arguments.revision,
        cache_dir=arguments.cache_dir,
        offline=arguments.offline,
        chunking=arguments.chunking,
    )
    try:
        tokenizer = load_tokenizer(arguments.tokenizer, options)
        value, text = ACTIONS[arguments.action][0](tokenizer, arguments)
    except (TokenizerError, OSError, UnicodeDecodeError) as error:
        print(f"tinker-mock tokenize: {error}", file=sys.stderr)
        return 2
    if arguments.json:
        print(json.dumps(value, ensure_ascii=False))
    else:
        # A rendered or decoded text is printed as it is: not a character more.
        sys.stdout.write(text if arguments.action in ("decode", "render") else f"{text}\n")
        sys.stdout.flush()
    return 0


def _read(arguments: argparse.Namespace) -> str:
    if arguments.file is not None:
        content: bytes = arguments.file.read_bytes()
        return content.decode("utf-8")
    if arguments.input:
        return " ".join(arguments.input)
    return sys.stdin.read()


def _read_ids(arguments: argparse.Namespace) -> list[int]:
    """Ids separated by white space or commas, or a JSON list."""
    words = _read(arguments).replace(",", " ").replace("[", " ").replace("]", " ").split()
    try:
        return [int(word) for word in words]
    except ValueError as error:
        raise TokenizerError("validation", f"Token ids must be integers: {error}") from error


def _encode(tokenizer: LoadedTokenizer, arguments: argparse.Namespace) -> tuple[Any, str]:
    text = _read(arguments)
    allowed = False if arguments.no_special else None
    added = arguments.add_special
    if arguments.shape == "offsets":
        found = tokenizer.encoding(text, add_special_tokens=added, allow_special_tokens=allowed)
        rows = [
            {"id": i, "token": token, "start": start, "end": end, "text": text[start:end]}
            for i, token, (start, end) in zip(found.ids, found.tokens, found.offsets, strict=True)
        ]
        told = (f"{row['id']}\t{row['start']}-{row['end']}\t{row['text']!r}" for row in rows)
        return rows, "\n".join(told)
    ids = tokenizer.encode(text, add_special_tokens=added, allow_special_tokens=allowed)
    if arguments.shape == "count":
        return len(ids), str(len(ids))
    if arguments.shape == "pieces":
        rows = [{"id": i, **_piece(tokenizer, i)} for i in ids]
        lines = (f"{row['id']}\t{row.get('text', row.get('bytes'))!r}" for row in rows)
        return rows, "\n".join(lines)
    return ids, " ".join(map(str, ids))


def _piece(tokenizer: Tokenizer, token_id: int) -> dict[str, str]:
    """A token's text, or its bytes in hexadecimal when they are part of a character."""
    token = tokenizer.token_bytes(token_id)
    try:
        return {"text": tokenizer.decode([token_id]) if token is None else token.decode("utf-8")}
    except UnicodeDecodeError:
        return {"bytes": (token or b"").hex(" ")}


def _decode(tokenizer: LoadedTokenizer, arguments: argparse.Namespace) -> tuple[Any, str]:
    text = tokenizer.decode(_read_ids(arguments), skip_special_tokens=arguments.skip_special)
    return text, text


def _stream(tokenizer: LoadedTokenizer, arguments: argparse.Namespace) -> tuple[Any, str]:
    ids = _read_ids(arguments)
    stops = StopSequences(
        frozenset(arguments.stop_token),
        tuple(arguments.stop),
        visible_stop_sequences=tuple(arguments.visible_stop),
    )
    decoder = StopSequenceDecoder(tokenizer, stops, skip_special_tokens=arguments.skip_special)
    steps = [(str(i), output) for i, output in zip(ids, decoder.process_tokens(ids), strict=False)]
    if not decoder.stopped:
        steps.append(("end", decoder.flush()))
    rows = [{"token": token, "output": out.kind, "text": out.text} for token, out in steps]
    value = {"steps": rows, "stopped_by": decoder.matched_stop}
    lines = [f"{row['token']}\t{row['output']}\t{row['text']!r}" for row in rows]
    return value, "\n".join(lines)


def _render(tokenizer: LoadedTokenizer, arguments: argparse.Namespace) -> tuple[Any, str]:
    conversation = _parsed(_read(arguments), "the conversation")
    given = conversation if isinstance(conversation, dict) else {"messages": conversation}
    tools = given.get("tools")
    if arguments.tools is not None:
        tools = _parsed(arguments.tools.read_text("utf-8"), str(arguments.tools))
    messages = given.get("messages")
    if not isinstance(messages, list):
        raise TokenizerError("validation", "A conversation is a JSON list of messages.")
    variables = dict(pair.partition("=")[::2] for pair in arguments.set)
    options: dict[str, Any] = {name: _parsed(value, name) for name, value in variables.items()}
    text: str = tokenizer.apply_chat_template(
        messages,
        **{
            "tools": tools,
            "documents": given.get("documents"),
            "chat_template": arguments.template,
            "add_generation_prompt": arguments.generation_prompt,
            "continue_final_message": arguments.continue_final_message,
            **options,
        },
    )
    form = tokenizer.content_format
    return {"text": text, "ids": tokenizer.encode(text), "content_format": form}, text


def _parsed(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise TokenizerError("invalid_json", f"{what} is not JSON: {error}") from error


ACTIONS: dict[str, tuple[Action, str, Options]] = {
    "encode": (_encode, "turn a text into token ids", _encode_options),
    "decode": (_decode, "turn token ids into a text", _decode_options),
    "stream": (_stream, "show what each token id releases, up to a stop", _stream_options),
    "render": (_render, "turn a conversation (JSON) into a prompt", _render_options),
}
