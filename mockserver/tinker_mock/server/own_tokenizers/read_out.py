"""Run by an interpreter that has tml-renderers: all that one of its tokenizers knows, as JSON.

`python read_out.py NAMETokenizer < texts.json`, where texts is a list; it needs nothing else.
"""

import base64
import importlib
import json
import sys


def main() -> None:
    tokenizer = getattr(importlib.import_module("tml_renderers.tokenizers"), sys.argv[1])()
    texts = json.load(sys.stdin)
    tokens = {name: tokenizer.encode_special(name) for name in tokenizer.special_tokens()}
    marks = {tokenizer.decode([token]): token for token in tokens.values()}
    named, words = frozenset(marks.values()), list[str]()
    size = max(named) + 1
    while True:
        token = len(words)
        try:
            text = b"" if token in named else tokenizer.decode_bytes([token])
        except ValueError:  # no such id; some families have gaps below their marks
            if token > size:
                break
            text = b""
        words.append(base64.b64encode(text).decode())
    roles = {
        role: tokenizer.decode([tokens[name]]) if name else None
        for role, name in (("bos", tokenizer.bos_token), ("eos", tokenizer.eos_token))
    }
    samples = [[text, list(tokenizer.encode_ordinary(text))] for text in texts]
    json.dump({"words": words, "marks": marks, "samples": samples, **roles}, sys.stdout)


if __name__ == "__main__":
    main()
