"""Settings: what the environment says, what beats what, and what is refused."""

from typing import Any

import pytest

from tests.client.conftest import KEY, config
from tinker_mock.client import ClientConfig, ValidationError
from tinker_mock.client.config import Environment, mask_api_key, parse_proxy, read_environment
from tinker_mock.client.config.environment import (
    parse_bool,
    parse_log_level,
    parse_parity,
    parse_positive,
)


@pytest.mark.parametrize(
    ("variables", "settings"),
    [
        (
            {
                "TINKER_API_KEY": " api ",
                "TINKER_BASE_URL": "https://example.com/ ",
                "TINKER_TAGS": "tag1, tag2, ,tag3",
                "TINKER_FEATURE_GATES": "async_sampling,other",
                "TINKER_TELEMETRY": "0",
                "TINKER_LOG": "Warning",
                "CLOUDFLARE_ACCESS_CLIENT_ID": "cf-id",
                "CLOUDFLARE_ACCESS_CLIENT_SECRET": "cf-secret",
                "TINKEX_DUMP_HEADERS": "1",
                "TINKEX_DEFAULT_HEADERS": '{"Authorization":"Bearer token","x-extra":"1"}',
                "TINKEX_DEFAULT_QUERY": '{"mode":"fast","flag":true}',
                "TINKEX_HTTP_POOL": "custom_pool",
            },
            {
                "api_key": "api",
                "base_url": "https://example.com/",
                "tags": ("tag1", "tag2", "tag3"),
                "feature_gates": ("async_sampling", "other"),
                "telemetry_enabled": False,
                "log_level": "warn",
                "cf_access_client_id": "cf-id",
                "cf_access_client_secret": "cf-secret",
                "dump_headers": True,
                "default_headers": {"Authorization": "Bearer token", "x-extra": "1"},
                "default_query": {"flag": "true", "mode": "fast"},
                "http_pool": "custom_pool",
            },
        ),
        (
            {
                "TINKER_API_KEY": " ",
                "TINKER_TELEMETRY": "maybe",
                "TINKEX_DUMP_HEADERS": "",
                "TINKER_FEATURE_GATES": " ",
            },
            {
                "api_key": None,
                "base_url": None,
                "tags": (),
                "feature_gates": ("async_sampling",),
                "telemetry_enabled": True,
                "dump_headers": False,
            },
        ),
    ],
)
def test_the_environment_is_read_and_blanks_count_as_unset(
    variables: dict[str, str], settings: dict[str, Any]
) -> None:
    found = read_environment(variables)
    assert {name: getattr(found, name) for name in settings} == settings


@pytest.mark.parametrize(
    ("words", "meaning"),
    [(("1", "true", "yes", "on"), True), (("0", "false", "no", "off"), False)],
)
def test_booleans_are_words_in_any_case(words: tuple[str, ...], meaning: bool) -> None:
    for word in words:
        for text in (word, word.upper(), word.title()):
            assert parse_bool(text, default=not meaning) is meaning
    assert parse_bool("maybe", default=meaning) is meaning


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (parse_parity, "Python", "python"),
        (parse_parity, "java", None),
        (parse_parity, "1", None),
        (parse_parity, " ", None),
        (parse_parity, None, None),
        (parse_log_level, "DEBUG", "debug"),
        (parse_log_level, "Warning", "warn"),
        (parse_log_level, "warn", "warn"),
        (parse_log_level, "error", "error"),
        (parse_log_level, "unknown", None),
        (parse_log_level, None, None),
        (parse_positive, "100", 100),
        (parse_positive, "1", 1),
        (parse_positive, "0", None),
        (parse_positive, "abc", None),
        (parse_positive, None, None),
    ],
)
def test_words_and_numbers_of_the_environment(parse: Any, text: str | None, value: Any) -> None:
    assert parse(text) == value


def test_defaults() -> None:
    found = ClientConfig.resolve(environment=Environment(), preset="tinkex", api_key=KEY)
    assert (found.timeout, found.max_retries) == (60.0, 10)
    assert found.tags == ("tinkex-elixir",)
    assert found.feature_gates == ("async_sampling",)
    assert (found.default_headers, found.default_query, found.recovery) == ({}, {}, None)
    assert "tinker.thinkingmachines.dev" in found.base_url


def test_an_option_beats_the_application_beats_the_environment_beats_the_default() -> None:
    environment = read_environment({"TINKER_API_KEY": KEY, "TINKER_BASE_URL": "https://env"})
    application = {"base_url": "https://app"}
    assert [
        ClientConfig.resolve(
            environment=environment, application=application, base_url="https://opts"
        ).base_url,
        ClientConfig.resolve(environment=environment, application=application).base_url,
        ClientConfig.resolve(environment=environment).base_url,
    ] == ["https://opts", "https://app", "https://env"]
    fallback = ClientConfig.resolve(environment=Environment(api_key=KEY))
    assert "tinker.thinkingmachines.dev" in fallback.base_url


@pytest.mark.parametrize(
    ("options", "timeout", "retries"),
    [
        ({"parity_mode": None}, 60.0, 10),
        ({"parity_mode": "unknown"}, 60.0, 10),
        ({}, 60.0, 10),
        ({"parity_mode": "beam"}, 120.0, 2),
        ({"parity_mode": "beam", "max_retries": 5}, 120.0, 5),
        ({"parity_mode": "beam", "timeout": 45.0, "max_retries": 3}, 45.0, 3),
    ],
)
def test_a_parity_mode_sets_limits_that_options_override(
    options: dict[str, Any], timeout: float, retries: int
) -> None:
    found = config("tinkex", **options)
    assert (found.timeout, found.max_retries) == (timeout, retries)


def test_headers_and_queries_become_text_and_an_empty_list_of_gates_stays_empty() -> None:
    found = config(
        "tinkex",
        default_headers={"foo": 1, "bar": "baz"},
        default_query={"limit": 10, "mode": "fast"},
        feature_gates=[],
    )
    assert found.default_headers == {"bar": "baz", "foo": "1"}
    assert found.default_query == {"limit": "10", "mode": "fast"}
    assert found.feature_gates == ()


@pytest.mark.parametrize(
    ("given", "place", "headers"),
    [
        ("http://proxy.example.com:8080", ("http", "proxy.example.com", 8080), ()),
        ("http://proxy.example.com", ("http", "proxy.example.com", 80), ()),
        ("https://proxy.example.com", ("https", "proxy.example.com", 443), ()),
        (
            "http://user:pass@proxy.example.com:8080",
            ("http", "proxy.example.com", 8080),
            (("proxy-authorization", "Basic dXNlcjpwYXNz"),),
        ),
    ],
)
def test_a_proxy_is_read_with_its_credentials_apart(given: Any, place: Any, headers: Any) -> None:
    found = parse_proxy(given)
    assert found is not None
    assert (found.scheme, found.host, found.port) == place
    assert found.headers == headers
    assert parse_proxy(None) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"api_key": "not-prefixed"}, "api_key must start with the 'tml-' prefix"),
        ({"proxy": "invalid"}, "proxy must be a URL string or"),
        ({"proxy": ["http", "proxy.example.com", 0]}, "proxy must be"),
        ({"proxy": ["http", "proxy.example.com", 99999]}, "proxy must be"),
        ({"proxy": "ftp://proxy.example.com:21"}, "proxy URL scheme must be http or https"),
    ],
)
def test_settings_that_cannot_be_are_explained(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        config("tinkex", **options)


@pytest.mark.parametrize(
    ("key", "shown"),
    [("tml-abcdef123456", "tml-ab...3456"), ("tml-1", "tml...ml-1"), ("abcd", "****")],
)
def test_keys_are_shown_masked(key: str, shown: str) -> None:
    assert mask_api_key(key) == shown
