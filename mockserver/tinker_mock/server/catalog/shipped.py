"""The shipped catalogue: its YAML, bundled as JSON.

Parsing YAML takes longer than everything else that a start does. The bundle has the digest of what
it was made from: an edited catalogue is read from its source until `make contract`.
"""

from datetime import date
from pathlib import Path
from typing import Any

import orjson

from tinker_mock.server.cache_folder import digest_of

MODELS = Path(__file__).with_name("models.yaml")
ARCHITECTURES = Path(__file__).with_name("architectures.yaml")
BUNDLE = Path(__file__).with_name("shipped.json")


def shipped_document() -> dict[str, Any]:
    """`families`, `models` and `architectures`, as the YAML has them."""
    kept: dict[str, Any] = orjson.loads(BUNDLE.read_bytes())
    if kept["digest"] != digest_of(MODELS, ARCHITECTURES):
        return parsed()
    for model in kept["models"].values():
        if "retired" in model:
            model["retired"] = date.fromisoformat(model["retired"])
    return kept


def parsed() -> dict[str, Any]:
    """The same from its source."""
    import yaml

    def read(path: Path) -> dict[str, Any]:
        return dict(yaml.safe_load(path.read_text(encoding="utf-8")))

    return {**read(MODELS), "architectures": read(ARCHITECTURES)}


def write_bundle() -> Path:
    """Renew the bundle."""
    told = {"digest": digest_of(MODELS, ARCHITECTURES), **parsed()}
    BUNDLE.write_bytes(orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE))
    return BUNDLE
