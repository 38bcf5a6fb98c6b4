"""The mock as a process of its own starts anywhere."""

from pathlib import Path

import httpx
import pytest

from tinker_mock.suite.mock_process import MockDidNotStart, mock_server


def test_in_a_directory_with_packages_named_like_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("tinker_mock", "contracts", "conformance", "yaml"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('not this one')")
    monkeypatch.chdir(tmp_path)
    with mock_server() as url:
        assert httpx.get(f"{url}/api/v1/healthz").status_code == 200


def test_a_mock_that_cannot_start_says_why() -> None:
    with (
        pytest.raises(MockDidNotStart, match="no-such-scenario"),
        mock_server(["--scenario", "no-such-scenario"]),
    ):
        pass
