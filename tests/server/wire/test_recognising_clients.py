"""Who is calling: releases, products, wishes."""

import pytest

from tinker_mock.server.wire.dialects import LATEST, dialect_of, parse_version

STAINLESS = "x-stainless-package-version"


@pytest.mark.parametrize(
    ("headers", "session", "label"),
    [
        ({STAINLESS: "0.24.1", "user-agent": "AsyncTinker/Python 0.24.1"}, None, "tinker 0.24.1"),
        ({"user-agent": "AsyncTinker/Python 0.7.0"}, None, "tinker 0.7.0"),
        ({"user-agent": "AsyncTinkex/Elixir 0.3.2"}, None, "tinkex 0.3.2"),
        ({"user-agent": "python-httpx/0.28"}, "0.16.1", "tinker 0.16.1"),
        ({"user-agent": "curl/8"}, None, "other"),
        ({}, None, "other"),
    ],
)
def test_recognition(headers: dict[str, str], session: str | None, label: str) -> None:
    assert dialect_of(headers, session).label == label


@pytest.mark.parametrize(
    ("version", "feature", "copes"),
    [
        ("0.13.1", "metadata_only", False),
        ("0.14.0", "metadata_only", True),
        ("0.18.2", "protobuf_losses", False),
        ("0.19.0", "protobuf_losses", True),
        ("0.27.2", "external_checkpoints", False),
        ("0.100.0", "external_checkpoints", True),
    ],
)
def test_features_by_release(version: str, feature: str, copes: bool) -> None:
    assert dialect_of({STAINLESS: version}).understands(feature) is copes


def test_unknown_clients_get_the_newest_dialect() -> None:
    assert dialect_of({"user-agent": "curl/8"}).understands("external_checkpoints")
    assert parse_version("nightly") == LATEST
    assert parse_version("0.38.0rc1") == (0, 38, 0)
