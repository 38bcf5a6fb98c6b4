"""Archives that would grow, escape or confuse are refused before a byte is written."""

import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tinker_mock.client import ValidationError
from tinker_mock.client.rest.archive import MOST_MEMBERS, extract_archive

LARGE = 300 << 20


def tar(*members: tuple[str, bytes], kind: bytes = tarfile.REGTYPE, **headers: str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size, info.type, info.pax_headers = len(content), kind, headers
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def many() -> bytes:
    head = tarfile.TarInfo("x").tobuf()
    return head * (MOST_MEMBERS + 1) + b"\0" * 1024


HOSTILE: dict[str, Callable[[], bytes]] = {
    "gzip bomb": lambda: gzip.compress(tar(("big", b"\0" * LARGE)), compresslevel=1),
    "xz bomb": lambda: lzma.compress(tar(("big", b"\0" * LARGE)), preset=0),
    "headers of a bomb": lambda: lzma.compress(tar(("a", b""), comment="x" * LARGE), preset=0),
    "promises": lambda: tar(("p", b"x"), size="99999999999"),
    "too many": many,
    "outside": lambda: tar(("../evil", b"x")),
    "absolute": lambda: tar(("/tmp/evil", b"x")),
    "outside by header": lambda: tar(("p", b"x"), path="../../evil"),
    "device": lambda: tar(("d", b""), kind=tarfile.CHRTYPE),
    "no name": lambda: tar(("", b"x")),
    "only a dot": lambda: tar((".", b"x")),
    "a file that is a folder": lambda: tar(("a", b"x"), ("a/b", b"y")),
    "a long name": lambda: tar(("a" * 300, b"x")),
    "cut": lambda: tar(("a", b"x" * 5000))[:1000],
    "no tar": lambda: b"hello" * 100,
    "damaged gzip": lambda: gzip.compress(tar(("a", b"x")))[:40],
    "nothing": lambda: b"",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_refused(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "archive.tar"
    archive.write_bytes(HOSTILE[name]())
    with pytest.raises(ValidationError):
        extract_archive(archive, tmp_path / "out")
    written = [file for file in (tmp_path / "out").rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in written) < 100
    assert {file.name for file in tmp_path.iterdir()} <= {"archive.tar", "out"}


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress])
def test_an_honest_archive_is_unpacked(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    archive = tmp_path / "archive.tar"
    archive.write_bytes(pack(tar(("folder/a.bin", b"\0" * (1 << 20)), ("b.txt", b"hello"))))
    files = extract_archive(archive, tmp_path / "out")
    assert [file.relative_to(tmp_path / "out").as_posix() for file in files] == [
        "folder/a.bin",
        "b.txt",
    ]
    assert (tmp_path / "out" / "b.txt").read_bytes() == b"hello"
