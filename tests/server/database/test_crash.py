"""What was acknowledged survives kill -9 at any moment (`make crash` for many more of them)."""

from pathlib import Path

from tests.bench.crash import crash


def test_every_acknowledged_operation_runs_exactly_once_and_in_order(tmp_path: Path) -> None:
    place = ("--data-dir", str(tmp_path / "data"))
    assert crash(place, points=20, clients=4, seed=7) > 0
