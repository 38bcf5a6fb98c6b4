"""SDK releases and ranges of them, as the contract writes them (`x-sdk-since: "0.18"`)."""

import re
from dataclasses import dataclass

NEVER_IN_AN_SDK = "none"


def parse_release(text: str) -> tuple[int, int]:
    """`"0.24.1"` → `(0, 24)`: ranges are kept by minor, the unit in which the wire changed.

    Raises ValueError if there is no `MAJOR.MINOR` at the start.
    """
    found = re.match(r"(\d+)\.(\d+)", text)
    if found is None:
        raise ValueError(f"{text!r} is not an SDK release: expected MAJOR.MINOR[.PATCH]")
    return int(found[1]), int(found[2])


@dataclass(frozen=True, slots=True)
class SdkRange:
    """Releases from `since` to `until`, both included; None is open.

    `since="none"` marks what no Python SDK sends (streaming, the mock's own files).
    """

    since: str | None = None
    until: str | None = None

    def __contains__(self, release: str) -> bool:
        if self.since == NEVER_IN_AN_SDK:
            return False
        version = parse_release(release)
        return not (
            (self.since is not None and version < parse_release(self.since))
            or (self.until is not None and version > parse_release(self.until))
        )

    def __str__(self) -> str:
        if self.since == NEVER_IN_AN_SDK:
            return "no SDK"
        return f"{self.since or ''}–{self.until or ''}"

    @classmethod
    def of(cls, node: dict[str, object]) -> "SdkRange":
        """The range written on an operation, a parameter or a schema."""
        since, until = node.get("x-sdk-since"), node.get("x-sdk-until")
        return cls(None if since is None else str(since), None if until is None else str(until))
