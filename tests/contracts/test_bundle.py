"""Joining chapters."""

from pathlib import Path

import pytest

from tinker_mock.contracts.bundle import BundleError, bundle

ROOT = "openapi: 3.2.0\ninfo: {title: t, version: '1'}\nx-chapters: [a.yaml, b.yaml]\n"
A = "paths: {/x: {get: {operationId: x}}}\ncomponents: {schemas: {S: {type: string}}}\n"


def write(directory: Path, b: str) -> Path:
    for name, text in (("openapi.yaml", ROOT), ("a.yaml", A), ("b.yaml", b)):
        (directory / name).write_text(text)
    return directory


def test_chapters_may_share_a_path(tmp_path: Path) -> None:
    document = bundle(write(tmp_path, "paths: {/x: {post: {operationId: y}}}\n"))
    assert sorted(document["paths"]["/x"]) == ["get", "post"]
    assert "x-chapters" not in document


@pytest.mark.parametrize(
    ("chapter", "named"),
    [
        ("paths: {/x: {get: {operationId: z}}}\n", "b.yaml: /x/get"),
        ("components: {schemas: {S: {type: number}}}\n", "b.yaml: components/schemas/S"),
    ],
)
def test_nothing_is_described_twice(tmp_path: Path, chapter: str, named: str) -> None:
    with pytest.raises(BundleError, match=named):
        bundle(write(tmp_path, chapter))


def test_an_edit_changes_the_digest(tmp_path: Path) -> None:
    before = bundle(write(tmp_path, "paths: {}\n"))["x-digest"]
    assert bundle(write(tmp_path, "paths: {/q: {}}\n"))["x-digest"] != before


def test_a_chapter_is_a_mapping(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"b\.yaml"):
        bundle(write(tmp_path, "- 1\n"))
