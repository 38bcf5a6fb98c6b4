"""A file that is no cassette is said to be none: no traceback, no memory, no time."""

import gzip
from pathlib import Path

import pytest

from tinker_mock.suite.cassettes import cassette
from tinker_mock.suite.cassettes.cassette import CassetteError, read_cassette

HEAD = b'provenance: {program: x, client: y}\nvalues: "{}"\n'
REQUEST = b"{method: GET, uri: %s, headers: {}, body: null}"
ANSWER = b"{status: {code: %s}, headers: {}, body: {string: x}}"


def interaction(uri: bytes = b"http://x/api/v1/healthz", code: bytes = b"200") -> bytes:
    one = b"- request: " + REQUEST % uri + b"\n  response: " + ANSWER % code + b"\n"
    return HEAD + b"interactions:\n" + one


FILES = {
    "empty.yaml": b"",
    "number.yaml": b"5",
    "list.yaml": b"- 1",
    "nulls.yaml": b"provenance: null\nvalues: null\ninteractions: null",
    "bytes.yaml": b"\xff\xfe\0",
    "deep.yaml": HEAD + b"interactions: " + b"[" * 20_000 + b"]" * 20_000,
    "aliases.yaml": b"a: &a [x,x]\nb: &b [*a,*a]\n" + HEAD + b"interactions: *b",
    "itself.yaml": HEAD + b"interactions: &a [*a]",
    "address.yaml": interaction(uri=b'"http://["'),
    "status.yaml": interaction(code=b"abc"),
    "values.yaml": b'provenance: {}\nvalues: "{"\ninteractions: []',
    "cut.yaml.gz": gzip.compress(interaction())[:-6],
    "garbage.yaml.gz": b"\x1f\x8b\x08\0" + b"\xff" * 50,
    "none.yaml.gz": b"hello",
}


@pytest.mark.parametrize("name", FILES)
def test_no_cassette(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name])
    with pytest.raises(CassetteError):
        read_cassette(path)


def test_a_cassette_for_comparison(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml.gz"
    path.write_bytes(gzip.compress(interaction()))
    assert [one.operation for one in read_cassette(path).interactions] == ["healthz"]


def test_what_unpacks_to_more_than_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cassette, "LARGEST", 1 << 20)
    path = tmp_path / "bomb.yaml.gz"
    path.write_bytes(gzip.compress(b"#" * (64 << 20)))
    with pytest.raises(CassetteError, match="unpacks to more"):
        read_cassette(path)
