"""URLs: base path and path joined, three layers of query put together."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit


def build_url(
    base_url: str,
    path: str,
    query: Mapping[str, Any] | None = None,
    default_query: Mapping[str, Any] | None = None,
) -> str:
    """Join: the base's own path stays in front; default query < the path's < the call's."""
    base = urlsplit(base_url)
    own_path, _, own_query = path.partition("?")
    layers: dict[str, str] = {key: _text(value) for key, value in (default_query or {}).items()}
    layers.update(parse_qsl(own_query, keep_blank_values=True))
    layers.update({key: _text(value) for key, value in (query or {}).items() if value is not None})
    joined = base.path.rstrip("/") + "/" + own_path.lstrip("/")
    return urlunsplit((base.scheme, base.netloc, joined, urlencode(layers), ""))


def segment(text: str) -> str:
    """A value as one path segment: everything but letters, digits and `-._~` is escaped."""
    return quote(text, safe="")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ",".join(_text(item) for item in value)
    return str(value)
