"""Files that are no cassettes, and places that cannot be written, end in one line."""

import subprocess
import sys
from pathlib import Path

import pytest

from tinker_mock.suite.cassettes.cassette import CassetteError, read_cassette

HOSTILE = {
    "itself": b"a: &a [*a]",
    "brackets": b"[" * 20_000,
    "no parts": b"interactions: []",
    "wrong parts": b"provenance: 1\nvalues: 2\ninteractions: 3",
    "merged keys": b"a: &a {k: 1}\nb: {<<: [*a, *a]}",
    "bytes": bytes(range(256)),
    "tag": b"a: !!python/object/apply:os.system ['true']",
    "nothing": b"",
}


def said(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tinker_mock.cli", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_is_no_cassette(tmp_path: Path, name: str) -> None:
    file = tmp_path / "cassette.yaml"
    file.write_bytes(HOSTILE[name])
    with pytest.raises(CassetteError):
        read_cassette(file)


def test_replay_says_which_file(tmp_path: Path) -> None:
    file = tmp_path / "cassette.yaml"
    file.write_bytes(HOSTILE["bytes"])
    done = said("replay", str(file))
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert f"FAIL {file}" in done.stdout


@pytest.mark.parametrize("place", ["/dev/full", "missing/cassette.yaml"])
def test_record_says_what_it_cannot_write(tmp_path: Path, place: str) -> None:
    output = place if place.startswith("/") else str(tmp_path / place)
    done = said("record", "--output", output, "--", sys.executable, "-c", "")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert output in done.stderr
    assert not list(tmp_path.iterdir())
