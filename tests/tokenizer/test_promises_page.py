"""docs/text-promises.md names tests that exist."""

import re

from tests.named_tests import ROOT, missing

ROW = re.compile(r"tests/\S+\.py::\w+")


def test_every_sentence_names_a_test_that_exists() -> None:
    page = (ROOT / "docs" / "text-promises.md").read_text("utf-8")
    sentences = page.partition("\n## Against the libraries")[0].splitlines()
    rows = [line for line in sentences if line.startswith("| ") and "sentence" not in line]
    assert len(rows) >= 65
    for row in rows:
        named = ROW.findall(row)
        assert named, row
        assert [one for one in named if missing(one)] == []
