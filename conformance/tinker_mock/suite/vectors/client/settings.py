"""Environment variables and configuration."""

from typing import Any

from tinker_mock.client import ClientConfig, TinkerError
from tinker_mock.client.config import Environment, mask_api_key, parse_proxy, read_environment
from tinker_mock.client.config.environment import (
    parse_bool,
    parse_log_level,
    parse_parity,
    parse_positive,
)
from tinker_mock.suite.vectors.client.stage import KEY, Component, config
from tinker_mock.suite.vectors.comparison import Partial

_FIELDS = (
    "api_key",
    "base_url",
    "tags",
    "feature_gates",
    "telemetry_enabled",
    "log_level",
    "cf_access_client_id",
    "cf_access_client_secret",
    "dump_headers",
    "default_headers",
    "default_query",
    "http_pool",
)


def env(given: Any, entry: Any) -> Any:
    name = entry["name"]
    if name == "booleans":
        return _booleans(given)
    if name == "TINKEX_PARITY":
        return parse_parity(given)
    if name == "log level":
        return parse_log_level(given)
    if name.startswith("TINKEX_POOL"):
        return parse_positive(given)
    found = read_environment(given)
    return Partial({field: _plain(getattr(found, field)) for field in _FIELDS})


def _booleans(given: Any) -> Any:
    words = [(word, True) for word in given["true"]] + [(word, False) for word in given["false"]]
    folded = all(
        parse_bool(one, default=not meaning) is meaning
        for word, meaning in words
        for one in (word, word.upper(), word.title())
    )
    both = (parse_bool("maybe", default=default) for default in (True, False))
    unrecognised = "default" if list(both) == [True, False] else "something else"
    return {"case_insensitive": folded, "unrecognised": unrecognised}


def configuration(given: Any, entry: Any) -> Any:
    name = entry["name"]
    if name == "proxy":
        return _proxy(given)
    if name == "mask_api_key":
        return mask_api_key(given)
    if name == "precedence":
        return _precedence()
    if name == "rejected":
        return _error(lambda: config(**given))
    options = {key: value for key, value in given.items() if value is not None}
    if "timeout" in options:
        options["timeout"] /= 1000
    found = config(**options)
    if name == "feature_gates explicit empty list kept":
        return list(found.feature_gates)
    shown = {
        "timeout": round(found.timeout * 1000),
        "max_retries": found.max_retries,
        "tags": list(found.tags),
        "feature_gates": list(found.feature_gates),
        "default_headers": found.default_headers,
        "default_query": found.default_query,
        "recovery": found.recovery,
        "base_url": _default_base_url(),
    }
    return Partial(shown)


def _default_base_url() -> str:
    return ClientConfig.resolve(environment=Environment(), api_key=KEY).base_url


def _proxy(given: Any) -> Any:
    try:
        found = parse_proxy(given)
    except TinkerError as error:
        return {"error": error.message}
    if found is None:
        return {"proxy": None}
    headers = [list(pair) for pair in found.headers]
    return Partial(proxy=[found.scheme, found.host, found.port], proxy_headers=headers)


def _precedence() -> str:
    """Each source wins once all better ones are silent."""
    environment = read_environment({"TINKER_API_KEY": KEY, "TINKER_BASE_URL": "https://env"})
    layers: list[tuple[str, dict[str, Any]]] = [
        ("opts", {"base_url": "https://opts", "application": {"base_url": "https://app"}}),
        ("app", {"application": {"base_url": "https://app"}}),
        ("env", {}),
    ]
    won = []
    for name, options in layers:
        found = ClientConfig.resolve(environment=environment, **options)
        won.append(name if found.base_url == f"https://{name}" else found.base_url)
    fallback = ClientConfig.resolve(environment=Environment(api_key=KEY))
    won.append("default" if "tinker.thinkingmachines.dev" in fallback.base_url else "?")
    return " > ".join(won)


def _error(work: Any) -> Any:
    try:
        return work()
    except TinkerError as error:
        return {"error": error.message}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


COMPONENTS: dict[str, Component] = {"Env": env, "Config": configuration}
