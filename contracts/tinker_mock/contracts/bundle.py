"""One document out of its chapter files.

`openapi.yaml` lists its chapters under `x-chapters`; each chapter file contributes paths and
components, and refers to every component as `#/components/…` of the whole. Parsing YAML takes
longer than everything else at start-up, so the bundle is kept beside the sources as JSON, with
the digest of what it was made from: edited chapters are read from source until `make contract`.
"""

import hashlib
from pathlib import Path
from typing import Any

import orjson

from tinker_mock.contracts.locations import CONTRACTS

NAMES = ("tinker", "inference", "control")
Document = dict[str, Any]


class BundleError(Exception):
    """Two chapters describe the same thing, or a chapter is not a mapping."""


def read_document(name: str) -> Document:
    """The bundled document: from `openapi.json` if it is in step with its sources."""
    directory = CONTRACTS / name
    stored = directory / "openapi.json"
    if stored.exists():
        document: Document = orjson.loads(stored.read_bytes())
        if document.get("x-digest") == digest(directory):
            return document
    return bundle(directory)


def digest(directory: Path) -> str:
    """SHA-256 over the names and bytes of every YAML file of the document."""
    state = hashlib.sha256()
    for path in sorted(directory.glob("*.yaml")):
        state.update(path.name.encode())
        state.update(path.read_bytes())
    return state.hexdigest()


def bundle(directory: Path) -> Document:
    """Parse and join the chapters; raises BundleError for a component or path said twice."""
    document = _parse(directory / "openapi.yaml")
    paths = document.setdefault("paths", {})
    components = document.setdefault("components", {})
    for chapter in document.pop("x-chapters", []):
        part = _parse(directory / chapter)
        for path, item in part.get("paths", {}).items():
            _merge(paths.setdefault(path, {}), item, f"{chapter}: {path}")
        for kind, named in part.get("components", {}).items():
            _merge(components.setdefault(kind, {}), named, f"{chapter}: components/{kind}")
    document["x-digest"] = digest(directory)
    return document


def _parse(path: Path) -> Document:
    import yaml

    loaded = yaml.load(
        path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    )
    if not isinstance(loaded, dict):
        raise BundleError(f"{path.name}: expected a mapping at the top")
    return loaded


def _merge(into: Document, part: Document, where: str) -> None:
    for key, value in part.items():
        if key in into:
            raise BundleError(f"{where}/{key} is described twice")
        into[key] = value


def write_bundles(root: Path = CONTRACTS) -> list[Path]:
    """Renew `openapi.json` of every contract; what `make contract` runs."""
    written = []
    for name in NAMES:
        directory = root / name
        if (directory / "openapi.yaml").exists():
            target = directory / "openapi.json"
            target.write_bytes(orjson.dumps(bundle(directory), option=orjson.OPT_APPEND_NEWLINE))
            written.append(target)
    return written
