"""Files, forms, multipart bodies, downloads."""

import io
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from tinker_mock.client import TinkerError
from tinker_mock.client.compat.forms import (
    encode_multipart,
    filename_of,
    new_boundary,
    read_content,
    serialize_form,
    transform_file,
)
from tinker_mock.client.rest.download import directory_name, download_checkpoint
from tinker_mock.suite.vectors.client.stage import Component, Stage, failure, run

_PATH = "tinker://run-123/weights/0001"


def multipart(given: Any, entry: Any) -> Any:
    if not given:
        boundary = new_boundary()
        shape = "32 lowercase hex" if len(boundary) == 32 and int(boundary, 16) >= 0 else "?"
        return {"regex": r"^[a-zA-Z0-9_-]+$", "min_len": 16, "actual": shape}
    files = {name: _file(file) for name, file in given.get("files", {}).items()}
    boundary = given.get("boundary") or new_boundary()
    body, kind = encode_multipart(given.get("fields", {}), files, boundary=boundary)
    text = body.decode()
    if "body" in entry["expected"]:
        return {"body": text, "content_type": kind}
    if "ends_with" in entry["expected"]:
        shown = text.replace(boundary, "<boundary>").replace("\r\n", "\\r\\n")
        return {"ends_with": shown[-len(entry["expected"]["ends_with"]) :]}
    return text


def _file(file: Any) -> Any:
    if isinstance(file, list):
        name, content, *rest = file
        return (name, content.encode(), *rest)
    return file.encode()


def form(given: Any, _entry: Any) -> Any:
    return serialize_form(given)


def files(given: Any, entry: Any) -> Any:
    name = entry["name"]
    if name == "extract_filename":
        return filename_of(given)
    if name == "read_file_content":
        path = str(Path(__file__).parent) if given.startswith("<") else given
        try:
            return {"ok": len(read_content(path))}
        except TinkerError as error:
            return {"error": error.data["reason"]}
    if isinstance(given, dict):
        if "bytes" in given:
            result = transform_file(given["bytes"].encode("latin-1"))
            assert isinstance(result, bytes)
            return {"bytes": result.decode("latin-1")}
        return _from_path(given["path"])
    result = transform_file((given[0], given[1].encode(), *given[2:]))
    return [part.decode() if isinstance(part, bytes) else part for part in result]


def _from_path(described: str) -> Any:
    filename, _, content = described.partition(" with ")
    with TemporaryDirectory() as directory:
        path = Path(directory) / filename
        path.write_text(content.strip("'"))
        result = transform_file(path)
    assert isinstance(result, tuple)
    return [result[0], result[1].decode()]


def download(given: Any, entry: Any) -> Any:
    if isinstance(given, str):
        return directory_name(given)
    with TemporaryDirectory() as directory:
        target = Path(directory) / directory_name(_PATH)
        for old in given.get("before", ["old"] if given.get("force") is False else []):
            target.mkdir(exist_ok=True)
            (target / old).write_text("old")
        archive = httpx.Response(given.get("archive_status", 200), content=_tar(given))
        redirect = httpx.Response(302, headers={"location": "https://archive/file"})
        stage = Stage([redirect, archive])
        try:
            run(_download(stage, Path(directory), given.get("force", False)))
        except TinkerError as error:
            if "exists" in error.data:
                assert not stage.script.requests
                return {"error": ["exists", "<dir>"]}
            return failure(error)
        assert "x-api-key" not in stage.script.requests[1].headers
        return {"after": sorted(path.name for path in target.iterdir())}


async def _download(stage: Stage, directory: Path, force: bool) -> None:
    async with stage.service() as service:
        rest = service.create_rest_client()
        await download_checkpoint(rest, _PATH, output_dir=directory, force=force)


def _tar(given: Any) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in given.get("tar", []):
            info = tarfile.TarInfo(name)
            info.size = 3
            tar.addfile(info, io.BytesIO(b"new"))
    return buffer.getvalue()


COMPONENTS: dict[str, Component] = {
    "Multipart": multipart,
    "FormSerializer": form,
    "Files": files,
    "CheckpointDownload": download,
}
