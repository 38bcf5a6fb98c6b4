"""Checkpoint downloads: resumed, verified, and never written outside their directory."""

import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.client.conftest import ScriptedServer, config
from tinker_mock.client import (
    ApiConnectionError,
    ApiStatusError,
    AsyncServiceClient,
    ManualClock,
    ValidationError,
)
from tinker_mock.client.http.transport import Transport
from tinker_mock.client.rest.archive import extract_archive
from tinker_mock.client.rest.download import download_checkpoint, fetch_file

pytestmark = pytest.mark.anyio
PATH = "tinker://run/weights/one"
CONTENT = bytes(range(256)) * 40


class FileServer(httpx.AsyncBaseTransport):
    """Serves one file with ranges; breaks each answer after `breaks[n]` bytes."""

    def __init__(self, content: bytes, breaks: list[int] | None = None, *, ranges: bool = True):
        self.content, self.breaks, self.ranges = content, list(breaks or []), ranges
        self.asked: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        asked = request.headers.get("range", "")
        self.asked.append(asked)
        assert "x-api-key" not in request.headers
        start = int(asked.removeprefix("bytes=").removesuffix("-") or 0) if self.ranges else 0
        if start >= len(self.content):
            size = f"bytes */{len(self.content)}"
            return httpx.Response(416, headers={"content-range": size})
        rest = self.content[start:]
        headers = {"content-length": str(len(rest))}
        if self.breaks:
            rest = rest[: self.breaks.pop(0)]
        return httpx.Response(206 if start else 200, headers=headers, stream=Pieces(rest))


class Pieces(httpx.AsyncByteStream):
    def __init__(self, content: bytes) -> None:
        self.content = content

    async def __aiter__(self):  # type: ignore[no-untyped-def]
        for start in range(0, len(self.content), 1000):
            yield self.content[start : start + 1000]


async def fetch(server: FileServer, target: Path, **options: object) -> ManualClock:
    clock = ManualClock(autojump=True)
    async with Transport(config(), clock=clock, http=server) as transport:
        await fetch_file(transport, "http://files/x", target, **options)  # type: ignore[arg-type]
    return clock


async def test_a_broken_download_goes_on_where_it_stopped(tmp_path: Path) -> None:
    server, seen = FileServer(CONTENT, [3000, 5000]), []
    digest = hashlib.sha256(CONTENT).hexdigest()
    clock = await fetch(
        server,
        tmp_path / "f",
        sha256=digest,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert server.asked == ["", "bytes=3000-", "bytes=8000-"]
    assert clock.sleeps == [1.0, 2.0]
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


async def test_what_is_already_there_is_not_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(CONTENT[:4000])
    server = FileServer(CONTENT)
    await fetch(server, tmp_path / "f")
    await fetch(server, tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert server.asked == ["bytes=4000-", f"bytes={len(CONTENT)}-"]


async def test_a_server_without_ranges_starts_again(tmp_path: Path) -> None:
    await fetch(FileServer(CONTENT, [3000], ranges=False), tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT


async def test_endless_interruptions_and_wrong_checksums_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ApiConnectionError, match="broke 6 times"):
        await fetch(FileServer(CONTENT, [0] * 9), tmp_path / "f")
    with pytest.raises(ValidationError, match="expected 0000"):
        await fetch(FileServer(CONTENT), tmp_path / "g", sha256="0000")
    assert not (tmp_path / "g").exists()


def a_tar(*members: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for member in members:
            member.size = 0 if member.type != tarfile.REGTYPE else 3
            tar.addfile(member, io.BytesIO(b"abc") if member.size else None)
    return buffer.getvalue()


def linked(name: str, target: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


@pytest.mark.parametrize(
    "member",
    [
        tarfile.TarInfo("../evil"),
        tarfile.TarInfo("/etc/evil"),
        tarfile.TarInfo("a/../../evil"),
        tarfile.TarInfo("..\\evil"),
        linked("link", "/etc/passwd", tarfile.SYMTYPE),
        linked("hard", "../x", tarfile.LNKTYPE),
        linked("device", "", tarfile.FIFOTYPE),
    ],
    ids=lambda member: member.name,
)
def test_archives_that_reach_outside_are_refused_whole(
    tmp_path: Path, member: tarfile.TarInfo
) -> None:
    archive = tmp_path / "a.tar"
    archive.write_bytes(a_tar(tarfile.TarInfo("good"), member))
    with pytest.raises(ValidationError, match="member"):
        extract_archive(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar"]


def test_a_file_that_is_no_archive_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"hello")
    with pytest.raises(ValidationError, match="no readable tar"):
        extract_archive(tmp_path / "x", tmp_path / "out")


async def download(
    tmp_path: Path, answer: Callable[[httpx.Request], httpx.Response], **options: object
) -> ScriptedServer:
    server = ScriptedServer(
        {
            "training_runs/run/checkpoints/weights/one/archive": [
                (503, {"detail": "packing"}),
                httpx.Response(302, headers={"location": "http://files/x", "expires": "soon"}),
            ],
            "/x": answer,
        }
    )
    service = AsyncServiceClient(
        config(max_retries=0, submission_window=0.0), http=server, clock=ManualClock(autojump=True)
    )
    async with service:
        rest = service.create_rest_client()
        await download_checkpoint(rest, PATH, output_dir=tmp_path, **options)  # type: ignore[arg-type]
    return server


async def test_an_archive_still_being_packed_is_waited_for(tmp_path: Path) -> None:
    content = a_tar(tarfile.TarInfo("adapter.safetensors"))
    server = await download(tmp_path, lambda _: httpx.Response(200, content=content))
    assert (tmp_path / "run_weights_one" / "adapter.safetensors").read_bytes() == b"abc"
    assert names_in(tmp_path) == ["run_weights_one"]
    assert len(server.requests) == 3


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_what_is_there_stays_until_the_new_files_are_safe(tmp_path: Path) -> None:
    old = tmp_path / "run_weights_one"
    old.mkdir()
    (old / "old").write_text("precious")
    with pytest.raises(ValidationError, match="exists"):
        await download(tmp_path, lambda _: httpx.Response(200))
    with pytest.raises(ApiStatusError, match="HTTP 403"):
        await download(tmp_path, lambda _: httpx.Response(403), force=True)
    evil = a_tar(tarfile.TarInfo("../evil"))
    with pytest.raises(ValidationError, match="written outside"):
        await download(tmp_path, lambda _: httpx.Response(200, content=evil), force=True)
    assert (old / "old").read_text() == "precious"
