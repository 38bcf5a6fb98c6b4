"""Forms, files in forms, and checkpoints unpacked into directories."""

import io
import re
import tarfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.client.conftest import ScriptedServer
from tests.client.opened import service
from tinker_mock.client import ApiStatusError, TinkerError
from tinker_mock.client.elixir.forms import (
    encode_multipart,
    filename_of,
    new_boundary,
    read_content,
    serialize_form,
    transform_file,
)
from tinker_mock.client.rest.download import directory_name, download_checkpoint

PATH = "tinker://run-123/weights/0001"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"name": "value"}, {"name": "value"}),
        ({"tags": ["a", "b", "c"]}, {"tags[]": ["a", "b", "c"]}),
        ({"user": {"name": "Alice", "age": 30}}, {"user[name]": "Alice", "user[age]": "30"}),
        ({"config": {"nested": {"deep": "value"}}}, {"config[nested][deep]": "value"}),
        (
            {"items": [{"id": 1}, {"id": 2}], "none": None, "flag": True},
            {"items[][id]": ["1", "2"], "none": "", "flag": "true"},
        ),
    ],
)
def test_nested_values_become_fields(body: dict[str, Any], fields: dict[str, Any]) -> None:
    assert serialize_form(body) == fields


def test_a_multipart_body_to_the_byte() -> None:
    body, content_type = encode_multipart(
        {"description": "A test file"}, {"upload": b"file content"}, boundary="B"
    )
    assert content_type == "multipart/form-data; boundary=B"
    assert body == (
        b'--B\r\nContent-Disposition: form-data; name="description"\r\n\r\nA test file\r\n'
        b'--B\r\nContent-Disposition: form-data; name="upload"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\nfile content\r\n--B--\r\n"
    )


def test_a_file_may_bring_its_name_and_type() -> None:
    body, _ = encode_multipart({}, {"doc": ("readme.txt", b"# README", "text/plain")})
    for part in (b'filename="readme.txt"', b"Content-Type: text/plain", b"# README"):
        assert part in body


def test_a_boundary_is_fresh_and_closes_the_body() -> None:
    boundary = new_boundary()
    assert re.fullmatch(r"[0-9a-f]{32}", boundary)
    assert new_boundary() != boundary
    body, _ = encode_multipart({"a": "1"}, {}, boundary=boundary)
    assert body.endswith(f"--{boundary}--\r\n".encode())


@pytest.mark.parametrize(
    "given",
    [
        ("custom.txt", b"data"),
        ("file.json", b"{}", "application/json"),
        ("file.txt", b"text", "text/plain", {"x-custom": "value"}),
        b"\x01\x02\x03",
    ],
)
def test_files_as_tuples_and_bytes_stay_what_they_are(given: Any) -> None:
    assert transform_file(given) == given


def test_files_on_disk_are_read_and_named(tmp_path: Path) -> None:
    (tmp_path / "document.txt").write_text("File content")
    assert transform_file(tmp_path / "document.txt") == ("document.txt", b"File content")


@pytest.mark.parametrize(
    ("given", "name"), [("docs/document.pdf", "document.pdf"), ("raw bytes", None)]
)
def test_a_path_has_a_name_and_a_text_has_none(given: str, name: str | None) -> None:
    assert filename_of(given) == name


def test_files_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    for path, reason in (("/nonexistent/path.txt", "enoent"), (str(tmp_path), "eisdir")):
        with pytest.raises(TinkerError) as caught:
            read_content(path)
        assert caught.value.data["reason"] == reason


def archive(*names: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = 3
            tar.addfile(info, io.BytesIO(b"new"))
    return buffer.getvalue()


async def download(directory: Path, answer: httpx.Response, *, force: bool) -> ScriptedServer:
    server = ScriptedServer(
        {
            "training_runs/run-123/checkpoints/weights/0001/archive": httpx.Response(
                302, headers={"location": "https://archive/file"}
            ),
            "/file": answer,
        }
    )
    async with service(server) as opened:
        rest = opened.create_rest_client()
        await download_checkpoint(rest, PATH, output_dir=directory, force=force)
    return server


@pytest.mark.anyio
async def test_a_download_replaces_a_directory_only_when_told_to(tmp_path: Path) -> None:
    assert directory_name(PATH) == "run-123_weights_0001"
    target = tmp_path / "run-123_weights_0001"
    target.mkdir()
    (target / "old_file.txt").write_text("old")
    answer = httpx.Response(200, content=archive("test_file.txt"))
    with pytest.raises(TinkerError, match="exists; pass force") as caught:
        await download(tmp_path, answer, force=False)
    assert "exists" in caught.value.data
    assert [path.name for path in target.iterdir()] == ["old_file.txt"]
    server = await download(tmp_path, answer, force=True)
    assert [path.name for path in target.iterdir()] == ["test_file.txt"]
    assert "x-api-key" in server.requests[0].headers
    assert "x-api-key" not in server.requests[1].headers


@pytest.mark.anyio
async def test_an_archive_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ApiStatusError) as caught:
        await download(tmp_path, httpx.Response(404), force=False)
    assert caught.value.status == 404
