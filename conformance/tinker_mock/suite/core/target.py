"""What is judged: a server's address, its key, the SDK releases it claims to serve."""

from dataclasses import dataclass

from tinker_mock.contracts.ledger import Requirement, SdkSpan

JSON_RELEASE = 24
"""The last minor release that sends training data as JSON and takes JSON results."""
SPOKEN = {24: "0.24.1", 25: "0.25.0", 16: "0.16.1", 38: "0.38.0"}
NATS = {"float32": 1e-4, "bfloat16": 5e-2}

ALL_RELEASES = SdkSpan.parse("all")


@dataclass(frozen=True)
class Target:
    """A server under test.

    Times are seconds. `base_model` is asked from the server's capabilities when it is empty.
    """

    url: str
    key: str = "tml-conformance"
    other_key: str = ""
    sdk: SdkSpan = ALL_RELEASES
    base_model: str = ""
    read_only: bool = False
    timeout: float = 10.0
    long_poll: float = 45.0
    seed: int = 0
    deadline: float | None = None
    """When (time.monotonic) the run is over, whatever has been judged by then."""
    share: float | None = None
    """How long one scenario may take: a slow answer must not cost the others their turn."""
    precision: str = "float32"
    """What the server computes in: a key of `oracle.precision.PRECISIONS`."""
    scored: frozenset[str] | None = None
    """Requirement ids that count; None: all. Others are reported as not applicable."""

    @property
    def speaks_protobuf(self) -> bool:
        """Whether training data must be sent as protobuf (no release with JSON is claimed)."""
        return self.sdk.first > JSON_RELEASE

    @property
    def nats(self) -> float:
        """By how much log-probabilities of the same thing may differ."""
        return NATS[self.precision]

    @property
    def minor(self) -> int:
        """The minor release that the suite's ordinary requests speak for."""
        return self.sdk.last if self.speaks_protobuf else min(self.sdk.last, JSON_RELEASE)

    @property
    def release(self) -> str:
        """The SDK release that the suite's ordinary requests speak for."""
        return SPOKEN.get(self.minor, f"0.{self.minor}.0")

    def applies(self, rule: Requirement) -> bool:
        """Whether a requirement is about this target's releases, and in the frozen set if any."""
        known = self.scored is None or rule.id in self.scored
        return known and rule.sdk.meets(self.sdk)

    def headers(self) -> dict[str, str]:
        """The headers of an ordinary request, as that release sends them."""
        return {
            "x-api-key": self.key,
            "accept": "application/json",
            "user-agent": f"AsyncTinker/Python {self.release}",
            "x-stainless-package-version": self.release,
        }
