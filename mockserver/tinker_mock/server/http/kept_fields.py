"""What is kept of a request for as long as its session is: names and notes, none of them large."""

from collections.abc import Mapping
from typing import Any

from tinker_mock.server.errors import BadRequest
from tinker_mock.server.wire.json_text import json_pieces

LARGEST = 64 * 1024
"""Bytes of one of them, as JSON."""
KEPT = ("user_metadata", "tags", "display_name", "project_id", "path", "name", "model_path")


def check_kept(body: Mapping[str, Any]) -> None:
    """Raises BadRequest for a field that is too large to be kept."""
    for name in KEPT:
        value, size = body.get(name), 0
        for piece in json_pieces(value) if value is not None else ():
            size += len(piece)
            if size > LARGEST:
                raise BadRequest(
                    f"{name}: larger than {LARGEST} bytes",
                    pointer=f"/{name}",
                    rule=f"at most {LARGEST} bytes, as JSON",
                    fix="keep what is large elsewhere, and its address here",
                )
