"""Cassettes of real SDK releases against the contract."""

import shutil
from pathlib import Path

from tinker_mock.contracts.history import load_history
from tinker_mock.suite.cassettes.contract import judge_cassettes, recorded_releases
from tinker_mock.suite.commands.sdk_drift import report


def test_what_was_recorded_is_in_the_contract() -> None:
    releases = recorded_releases()
    assert "0.7.0" in releases
    for release, directory in releases.items():
        count, problems = judge_cassettes(release, directory)
        assert count > 30
        assert problems == []


def test_a_cassette_out_of_contract_is_found_out(tmp_path: Path) -> None:
    recorded = recorded_releases()["0.7.0"] / "capabilities.yaml"
    copied = tmp_path / recorded.name
    shutil.copy(recorded, copied)
    copied.write_text(copied.read_text().replace('"sdk_version"', '"sdk_release"'))
    _, problems = judge_cassettes("0.7.0", tmp_path)
    assert any("/sdk_version: required field" in problem for problem in problems)
    assert any("/sdk_release: not in the contract" in problem for problem in problems)


def test_a_new_release_is_told_with_what_the_contract_lacks() -> None:
    history = load_history()
    newest = history.surface(history.releases[-1])
    heading = f"tinker {history.releases[-1]} → 0.38.9"
    assert report("0.38.9", newest, history) == [f"{heading}: 0 changes"]
    lines = report("0.38.9", {**newest, "field SampleRequest.min_p": "float = 0.0"}, history)
    assert lines == [
        f"{heading}: 1 changes",
        "  + field SampleRequest.min_p  float = 0.0",
        "the contract disagrees:",
        "  SampleRequest.min_p: not in the contract's SampleRequest",
    ]


def test_what_was_announced_for_a_release_and_is_not_in_it_is_told() -> None:
    history = load_history()
    newest = history.surface(history.releases[-1])
    told = report("0.39.0", newest, history)
    assert "  Checkpoint.base_model: no release has it" in told
    assert "  POST /api/v1/external_weights_upload_start: no SDK calls it" in told
