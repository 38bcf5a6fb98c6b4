"""Tokenizers, stops, templates and Kimi streams against their authorities, on random inputs.

`make fuzz BENCH=text ARGS="--seed 1 --seconds 300"` prints one line a part: rounds and
differences. The authorities are `tokenizers`, `tiktoken`, `transformers`, `sentencepiece`, `gguf`,
and a second way to the same result: the whole answer for a streamed one, text search for a stop.
The real vocabularies are used where TINKER_MOCK_TOKENIZERS has them.
"""

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import tiktoken  # noqa: E402
import tokenizers  # noqa: E402
from tiktoken.load import load_tiktoken_bpe  # noqa: E402

from tests.fuzz import formats  # noqa: E402
from tests.tokenizer.texts import FIXTURES, random_text  # noqa: E402
from tinker_mock.kimi import KimiTransformer  # noqa: E402
from tinker_mock.tokenizer import (  # noqa: E402
    ChatTemplate,
    DecodeStream,
    LoadedTokenizer,
    StopSequenceDecoder,
    StopSequences,
    TokenizerError,
    load_tokenizer,
)
from tinker_mock.tokenizer.protocols import well_formed  # noqa: E402

SHARED = Path(os.environ.get("TINKER_MOCK_TOKENIZERS") or ROOT.parent / "shared" / "tokenizers")
SMALL = ("kimi_small", "bytelevel_small", "fallback_small")


@cache
def loaded() -> list[tuple[LoadedTokenizer, Any]]:
    """Each tokenizer with its authority."""
    found = []
    for path in [*(FIXTURES / name for name in SMALL), SHARED / "kimi_k2", SHARED / "qwen3"]:
        if not path.is_dir():
            continue
        tokenizer = load_tokenizer(path)
        if (path / "tokenizer.json").is_file():
            found.append((tokenizer, tokenizers.Tokenizer.from_file(str(path / "tokenizer.json"))))
        else:
            found.append((tokenizer, tiktoken_peer(path, tokenizer)))
    return found


def tiktoken_peer(path: Path, tokenizer: LoadedTokenizer) -> tiktoken.Encoding:
    ranks = load_tiktoken_bpe(str(path / "tiktoken.model"))
    pattern = vars(tokenizer)["pattern"]
    special = dict(tokenizer.special_tokens.ids)
    return tiktoken.Encoding("x", pat_str=pattern, mergeable_ranks=ranks, special_tokens=special)


def marked_text(rng: random.Random, tokenizer: LoadedTokenizer) -> str:
    specials = list(tokenizer.special_tokens.ids)[:40] or [""]
    return "".join(
        rng.choice(specials) if rng.random() < 0.15 else random_text(rng, 12)
        for _ in range(rng.randint(0, 6))
    )


def encoding(rng: random.Random) -> str | None:
    """Ids and texts of texts, and texts of any ids."""
    tokenizer, peer = rng.choice(loaded())
    text = marked_text(rng, tokenizer)
    ids = tokenizer.encode(text)
    clean = well_formed(text)
    if isinstance(peer, tiktoken.Encoding):
        wanted = peer.encode(clean, allowed_special="all")
        decoded = peer.decode(ids)
    else:
        wanted = peer.encode(clean, add_special_tokens=False).ids
        decoded = peer.decode(ids, skip_special_tokens=False)
    if (ids, tokenizer.decode(ids)) != (wanted, decoded):
        return f"{tokenizer.name}: {text!r}"
    found = tokenizer.encoding(text)
    return None if list(found.ids) == ids else f"{tokenizer.name}: encoding of {text!r}"


def any_ids(rng: random.Random, tokenizer: LoadedTokenizer) -> list[int]:
    if rng.random() < 0.5:
        ids = tokenizer.encode(marked_text(rng, tokenizer))
        return ids[: rng.randint(0, len(ids))]
    low = rng.choice([300, tokenizer.vocab_size])
    return [rng.randrange(min(low, tokenizer.vocab_size)) for _ in range(rng.randint(0, 40))]


def streaming(rng: random.Random) -> str | None:
    """Pieces join to the full decode, cut anywhere, after any ids."""
    tokenizer, _ = rng.choice(loaded())
    ids, skip = any_ids(rng, tokenizer), rng.random() < 0.5
    stream = DecodeStream(tokenizer, skip_special_tokens=skip)
    told = [piece for i in ids if (piece := stream.step(i)) is not None]
    told.append(stream.flush() or "")
    wanted = tokenizer.decode(ids, skip_special_tokens=skip)
    return None if "".join(told) == wanted else f"{tokenizer.name}: {ids} skip={skip}"


def stopping(rng: random.Random) -> str | None:
    """The text up to the first stop, by searching the whole text."""
    tokenizer, _ = rng.choice(loaded())
    ids = tokenizer.encode(marked_text(rng, tokenizer))
    text = tokenizer.decode(ids, skip_special_tokens=True)
    stops = [random_text(rng, 3) for _ in range(rng.choice([1, 4, 64]))]
    for _ in range(rng.randint(0, 3)):
        at = rng.randint(0, len(text))
        stops.append(text[at : at + rng.randint(1, 6)])
    cut = rng.randint(0, len(stops))
    hidden, visible = tuple(stops[:cut]), tuple(stops[cut:])
    decoder = StopSequenceDecoder(
        tokenizer,
        StopSequences(stop_sequences=hidden, visible_stop_sequences=visible),
        hold=rng.choice(["partial", "window"]),
    )
    outputs = [decoder.process(i) for i in ids]
    told = "".join(output.text for output in [*outputs, decoder.flush()])
    matches = [
        (at + len(stop), at, shown)
        for shown, group in ((False, hidden), (True, visible))
        for stop in group
        if stop and (at := text.find(stop)) >= 0
    ]
    if not matches:
        wanted: tuple[str, Any] = (text, None)
    else:
        end, start, shown = min(matches)
        wanted = (text[: end if shown else start], text[start:end])
    found = (told, decoder.matched_stop)
    return None if found == wanted else f"{tokenizer.name}: {text!r} {stops} {found} {wanted}"


BODIES = [
    "<{{ m.role }}>{{ m.content }}{{ eos_token }}",
    "{{ m.content | trim }}{% if m.tool_calls %}{{ m.tool_calls | tojson }}{% endif %}",
    "{% if m.content is string %}{{ m.content }}{% else %}{% for p in m.content %}{{ p.text }}"
    "{% endfor %}{% endif %}\n",
    "{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}{% endif %}",
    "{{ loop.index }}{% if loop.last %}!{% endif %}{{ m.reasoning_content or '' }}",
    "{% set ns.n = ns.n + m.content | length %}{{ ns.n }}",
    "{{ m['content'][:3] ~ '|' ~ (m.name or '-') }}",
]


def templates(rng: random.Random) -> str | None:
    """Renderings, continued ones and refusals, as transformers'."""
    from transformers.utils.chat_template_utils import render_jinja_template

    picked = rng.sample(BODIES, 2)
    source = "{% set ns = namespace(n=0) %}{% for m in messages %}" + "".join(picked)
    source += "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
    messages = []
    for _ in range(rng.randint(1, 4)):
        text = well_formed(random_text(rng, 8))
        content: Any = text if rng.random() < 0.7 else [{"type": "text", "text": text}]
        message = {"role": rng.choice(["user", "assistant", "system"]), "content": content}
        if rng.random() < 0.3:
            message[rng.choice(["reasoning", "reasoning_content", "thinking", "name"])] = "r "
        messages.append(message)
    options = {
        "continue_final_message": rng.choice([False, False, True, "reasoning"]),
        "add_generation_prompt": rng.random() < 0.3,
    }
    try:
        wanted: Any = render_jinja_template([messages], chat_template=source, **options)[0][0]
    except Exception:
        wanted = "refused"
    try:
        found = ChatTemplate(source).render(messages, **options)
    except TokenizerError:
        found = "refused"
    return None if found == wanted else f"{source} {messages} {options}: {found!r} {wanted!r}"


MARKERS = [
    *("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>", "<|tool_call_begin|>"),
    *("<|tool_call_end|>", "<|tool_call_argument_begin|>", "<|open|>", "<|close|>", "<|sep|>"),
    *("tools", "call", ' tool="f"', "argument", ' key="k" type="string"', "response"),
]
NAMES = ("f", "g.h", "look_up")
REQUEST = {
    "messages": [{"role": "tool", "tool_call_id": "functions.f:2", "content": "r"}],
    "tools": [{"type": "function", "function": {"name": name}} for name in NAMES],
}


def k2_call(rng: random.Random, arguments: str) -> str:
    id = rng.choice(["functions.f:0", "call_9", "look_up:3", "0"])
    begin, end, call, call_end, argument = (
        MARKERS[0],
        MARKERS[1],
        MARKERS[2],
        MARKERS[3],
        MARKERS[4],
    )
    return f"{begin}{call}{id}{argument}{arguments}{call_end}{end}"


def k3_call(rng: random.Random, text: str) -> str:
    name = rng.choice(NAMES)
    argument = f'<|open|>argument key="k" type="string"<|sep|>{text}<|close|>argument<|sep|>'
    call = f'<|open|>call tool="{name}" index="1"<|sep|>{argument}<|close|>call<|sep|>'
    return f"<|open|>tools<|sep|>{call}<|close|>tools<|sep|>"


def kimi_text(rng: random.Random) -> str:
    parts = []
    for _ in range(rng.randint(0, 6)):
        text = rng.choice(["🎉", "é漢", " x ", '{"a": "𠀀"}', "\n", "<|", "{}"])
        kind = rng.random()
        if kind < 0.25:
            parts.append(rng.choice(MARKERS))
        elif kind < 0.4:
            parts.append(k2_call(rng, json.dumps({"q": text * rng.choice([1, 1, 300])})))
        elif kind < 0.5:
            parts.append(k3_call(rng, text))
        else:
            parts.append(text)
    return "".join(parts)


def utf16_cuts(rng: random.Random, text: str) -> list[str]:
    """Pieces cut between UTF-16 units: the halves of a character may part."""
    units = text.encode("utf-16-le", "surrogatepass")
    ends = sorted(rng.randrange(0, len(units) // 2 + 1) for _ in range(rng.randint(0, 6)))
    bounds = zip([0, *ends], [*ends, len(units) // 2], strict=True)
    return [units[2 * a : 2 * b].decode("utf-16-le", "surrogatepass") for a, b in bounds]


def joined(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def kimi_streams(rng: random.Random) -> str | None:
    """Several choices, cut between UTF-16 units, in frames cut between bytes: the streamed answer
    is the whole one."""
    field = rng.choice(["content", "reasoning_content", "reasoning"])
    texts = [kimi_text(rng) for _ in range(rng.choice([1, 1, 3]))]
    reason = rng.choice(["stop", "length", "error", None])
    transformer = KimiTransformer(
        {"manualToolParsing": True, "assembleToolDeltas": rng.random() < 0.3}
    )
    waiting = {n: utf16_cuts(rng, text) for n, text in enumerate(texts)}
    frames = []
    while any(waiting.values()):
        n = rng.choice([n for n, pieces in waiting.items() if pieces])
        choice = {"index": n, "delta": {field: waiting[n].pop(0)}, "finish_reason": None}
        frames.append({"id": "c", "choices": [choice]})
    for n in range(len(texts)):
        frames.append({"id": "c", "choices": [{"index": n, "delta": {}, "finish_reason": reason}]})
    body = b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in frames)
    body += b"data: [DONE]\n\n"
    size = rng.choice([1, 7, 100, 5000])
    stream = transformer.stream("text/event-stream", REQUEST)
    assert stream is not None
    out = b"".join(stream.feed(body[at : at + size]) for at in range(0, len(body), size))
    out += stream.finish()
    choices = [
        {"index": n, "message": {"role": "assistant", field: text}, "finish_reason": reason}
        for n, text in enumerate(texts)
    ]
    whole = transformer.response({"choices": choices}, REQUEST)
    for n, choice in enumerate(whole["choices"]):
        message = choice["message"]
        calls = [
            (call["id"], call["function"]["name"], call["function"]["arguments"])
            for call in message.get("tool_calls") or ()
        ]
        wanted = (message.get(field) or "", calls, choice["finish_reason"])
        if (found := assembled(out, n, field)) != wanted:
            return f"{texts[n]!r} {field} {reason}: {found} {wanted}"
    return None


def assembled(body: bytes, index: int, field: str) -> tuple[str, list[Any], Any]:
    text, reason = "", None
    calls: dict[int, list[str]] = {}
    for line in body.split(b"\n"):
        if not line.startswith(b"data: {"):
            continue
        for choice in json.loads(line[6:])["choices"]:
            if choice["index"] != index:
                continue
            text += choice["delta"].get(field) or ""
            reason = choice["finish_reason"] or reason
            for call in choice["delta"].get("tool_calls") or ():
                function = call["function"]
                mine = calls.setdefault(call["index"], ["", "", ""])
                said = (call.get("id"), function.get("name"), function.get("arguments"))
                for at, value in enumerate(said):
                    mine[at] += value or ""
    return joined(text), [tuple(map(joined, calls[n])) for n in sorted(calls)], reason


PARTS: dict[str, Callable[[random.Random], str | None]] = {
    "encode and decode": encoding,
    "decode streams": streaming,
    "stop decoders": stopping,
    "templates": templates,
    "Kimi streams": kimi_streams,
    "SentencePiece models": formats.sentencepiece_models,
    "GGUF files": formats.gguf_files,
    "directories": formats.directories,
}


def rounds(
    part: str, seed: int, count: int | None = None, seconds: float = 0
) -> tuple[int, list[str]]:
    """How many rounds were played, and the differences found."""
    found: list[str] = []
    started, played = time.monotonic(), 0
    while played < count if count is not None else time.monotonic() - started < seconds:
        if difference := PARTS[part](random.Random(f"{part}:{seed}:{played}")):
            found.append(f"seed {seed}, round {played}: {difference}")
        played += 1
    return played, found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=60.0)
    arguments = parser.parse_args()
    bad = 0
    for part in PARTS:
        played, found = rounds(part, arguments.seed, seconds=arguments.seconds / len(PARTS))
        print(f"{part:<20} {played:>8,} rounds   {len(found)} differences", flush=True)
        for difference in found[:5]:
            print(f"  {difference[:1000]}")
        bad += len(found)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
