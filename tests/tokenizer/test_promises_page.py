"""docs/text-promises.md names tests that exist."""

import re

from tests.tokenizer.texts import ROOT

ROW = re.compile(r"(tests/\S+\.py)::(\w+)")


def test_every_sentence_names_a_test_that_exists() -> None:
    page = (ROOT / "docs" / "text-promises.md").read_text("utf-8")
    sentences = page.partition("\n## Against the libraries")[0].splitlines()
    rows = [line for line in sentences if line.startswith("| ") and "sentence" not in line]
    assert len(rows) >= 65
    for row in rows:
        named = ROW.findall(row)
        assert named, row
        for path, name in named:
            source = (ROOT / path).read_text("utf-8")
            assert re.search(rf"def {name}\(", source), (path, name)
