"""Ids: what one side made up, so that no two recordings share it.

Every id a server hands out is learned from its answers and becomes a reference when cassettes are
compared or sent to another server.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

_ID_FIELDS = frozenset(
    {
        "request_id",
        "session_id",
        "model_id",
        "sampling_session_id",
        "training_run_id",
        "sampler_id",
        "path",
        "tinker_path",
    }
)
_LIST_FIELDS = frozenset({"sample_sequence_ids", "training_run_ids", "sampler_ids"})


class IdMap:
    """Recorded id -> the id a live server gave in its place."""

    def __init__(self) -> None:
        self._live: dict[str, str] = {}

    def learn(self, recorded: Any, live: Any) -> None:
        """Pair up the ids of two answers of the same shape."""
        if isinstance(recorded, Mapping) and isinstance(live, Mapping):
            for name in recorded.keys() & live.keys():
                self._learn_field(name, recorded[name], live[name])
        elif isinstance(recorded, list) and isinstance(live, list):
            for one, other in zip(recorded, live, strict=False):
                self.learn(one, other)

    def _learn_field(self, name: str, recorded: Any, live: Any) -> None:
        if name in _LIST_FIELDS and isinstance(recorded, list) and isinstance(live, list):
            self._live.update(zip(recorded, live, strict=False))
        elif name in _ID_FIELDS and isinstance(recorded, str) and isinstance(live, str):
            self._live[recorded] = live
        else:
            self.learn(recorded, live)

    def replace(self, text: str) -> str:
        """Text with all known recorded ids replaced, the longest first."""
        if not self._live:
            return text
        known = sorted(self._live, key=len, reverse=True)
        pattern = re.compile("|".join(re.escape(one) for one in known))
        return pattern.sub(lambda match: self._live[match.group()], text)

    def replace_bytes(self, content: bytes) -> bytes:
        """As `replace`, in text or in binary bodies whose ids have the same length."""
        try:
            return self.replace(content.decode("utf-8")).encode()
        except UnicodeDecodeError:
            return self.replace(content.decode("latin-1")).encode("latin-1")


def json_of(content: bytes) -> Any:
    """A body as JSON, `None` if it is not."""
    try:
        return json.loads(content)
    except ValueError:
        return None
