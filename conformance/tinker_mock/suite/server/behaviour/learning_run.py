"""What a behaviour run found."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Story:
    """`curves` maps a name to one number per step; `kept` says whether the promise held."""

    title: str
    promise: str
    kept: bool
    expected: str
    actual: str
    curves: dict[str, list[float]] = field(default_factory=dict)
