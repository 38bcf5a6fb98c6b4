"""Who is calling, and what that release understands. The only table of client differences."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

Version = tuple[int, ...]
LATEST: Version = (99,)

SINCE: dict[str, Version] = {
    "metadata_only": (0, 14),
    "protobuf_samples": (0, 18),
    "protobuf_losses": (0, 19),
    "queue_state_on_200": (0, 21),
    "ragged_records": (0, 24),
    "external_checkpoints": (0, 28),
    "storage_free": (0, 38),
    "upload_headers": (0, 40),
}
"""Feature -> first release of the Python SDK that copes with it."""

AGENT = re.compile(
    r"(?P<product>AsyncTinker|Tinker|AsyncTinkex|Tinkex)/\w+[ /](?P<version>[\w.+-]+)"
)


@dataclass(frozen=True)
class Dialect:
    """A client's product and release. Unknown clients are taken for the newest SDK."""

    product: str = "other"
    version: Version = LATEST
    try_again_status: int = 408
    """How a pending promise is answered: SDKs expect 408, clients that ask get 200."""
    nested_errors: bool = False
    """Failed promises carry `error` as an object with message and category."""

    def understands(self, feature: str) -> bool:
        """Whether this release copes with a feature of `SINCE`."""
        return self.product != "tinker" or self.version >= SINCE[feature]

    @cached_property
    def label(self) -> str:
        """`tinker 0.24.1`, for the journal."""
        known = self.version is not LATEST
        return f"{self.product} {'.'.join(map(str, self.version))}" if known else self.product


UNKNOWN = Dialect()


def parse_version(text: str) -> Version:
    """The leading numbers of a version: `0.24.1rc1` -> (0, 24, 1); LATEST when there are none."""
    numbers = re.match(r"\d+(\.\d+)*", text or "")
    return tuple(int(part) for part in numbers[0].split(".")) if numbers else LATEST


def dialect_of(headers: Mapping[str, str], session_version: str | None = None) -> Dialect:
    """Recognise a client by its headers, or else by the version its session was created with.

    Any client can ask for 200 instead of 408 with `Prefer: try-again=200`.
    """
    return _recognised(
        headers.get("user-agent", ""),
        headers.get("x-stainless-package-version"),
        headers.get("prefer", ""),
        session_version,
    )


@lru_cache(maxsize=256)
def _recognised(
    user_agent: str, package_version: str | None, prefer: str, session_version: str | None
) -> Dialect:
    agent = AGENT.search(user_agent)
    elixir = agent is not None and agent["product"].endswith("x")
    version = package_version or (agent["version"] if agent else None)
    known = version or session_version
    product = "tinkex" if elixir else "tinker" if known else "other"
    on_200 = elixir or "try-again=200" in prefer.replace(" ", "")
    return Dialect(
        product=product,
        version=parse_version(known) if known else LATEST,
        try_again_status=200 if on_200 else 408,
        nested_errors=elixir,
    )
