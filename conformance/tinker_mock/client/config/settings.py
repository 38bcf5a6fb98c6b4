"""`ClientConfig`: every setting of a client, resolved once and immutable."""

import math
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal, TypedDict, Unpack
from urllib.parse import urlsplit

from tinker_mock.client.config.environment import (
    Environment,
    parse_log_level,
    read_environment,
    stringify,
)
from tinker_mock.client.config.masking import mask_api_key
from tinker_mock.client.config.poll_backoff import PollBackoff, poll_waits
from tinker_mock.client.config.presets import PYTHON_LATEST, Preset, preset_named
from tinker_mock.client.config.proxies import Proxy, parse_proxy
from tinker_mock.client.errors import invalid

DEFAULT_BASE_URL = "https://tinker.thinkingmachines.dev/services/tinker-prod"
_PARITY_LIMITS = {"python": (60.0, 10), "beam": (120.0, 2)}
_KEY_PREFIXES = ("tml-", "eyJ")
_COMMAND_TIMEOUT = 30.0


class ClientOptions(TypedDict, total=False):
    """What `ClientConfig.resolve` and the service clients can be told, all of it optional."""

    api_key: str | None
    base_url: str | None
    preset: Preset | str | None
    parity_mode: Literal["python", "beam"] | None
    timeout: float | None
    max_retries: int | None
    submission_window: float | None
    tags: Sequence[str] | None
    feature_gates: Sequence[str] | None
    user_metadata: Mapping[str, str] | None
    project_id: str | None
    display_name: str | None
    telemetry_enabled: bool | None
    log_level: str | None
    cf_access_client_id: str | None
    cf_access_client_secret: str | None
    dump_headers: bool | None
    default_headers: Mapping[str, Any] | None
    default_query: Mapping[str, Any] | None
    proxy: Proxy | str | tuple[str, str, int] | None
    proxy_headers: Sequence[tuple[str, str]] | None
    pool_size: int | None
    pool_count: int | None
    recovery: Any
    poll_backoff: PollBackoff | None
    otel_propagate: bool | None


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """Resolved settings. Times are seconds.

    Build it with `ClientConfig.resolve(...)`: an argument beats the application's defaults,
    which beat the environment, which beats the built-in default.
    """

    api_key: str = field(repr=False)
    base_url: str = DEFAULT_BASE_URL
    preset: Preset = PYTHON_LATEST
    timeout: float = 60.0
    max_retries: int = 10
    submission_window: float = 300.0
    tags: tuple[str, ...] = ()
    feature_gates: tuple[str, ...] = ("async_sampling",)
    user_metadata: Mapping[str, str] | None = None
    project_id: str | None = None
    display_name: str | None = None
    telemetry_enabled: bool = True
    log_level: str | None = None
    cf_access_client_id: str | None = None
    cf_access_client_secret: str | None = field(default=None, repr=False)
    dump_headers: bool = False
    default_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    default_query: Mapping[str, str] = field(default_factory=dict)
    proxy: Proxy | None = None
    pool_size: int = 50
    pool_count: int = 20
    recovery: Any = None
    poll_backoff: PollBackoff | None = None
    otel_propagate: bool = False

    def __repr__(self) -> str:
        return (
            f"ClientConfig(api_key={mask_api_key(self.api_key)!r}, base_url={self.base_url!r}, "
            f"preset={self.preset.name!r}, timeout={self.timeout:g}, "
            f"max_retries={self.max_retries})"
        )

    @classmethod
    def resolve(
        cls,
        *,
        application: Mapping[str, Any] | None = None,
        environment: Environment | None = None,
        run_command: Callable[[str], str] | None = None,
        **options: Unpack[ClientOptions],
    ) -> "ClientConfig":
        """Put the sources together.

        Options are the fields of this class; besides, `preset` may be a name, `proxy` a URL or
        (scheme, host, port), `parity_mode` "python" or "beam" (timeout and retries).
        Raises `ValidationError` for an unknown option, a missing or malformed key, a bad proxy.
        """
        env = read_environment() if environment is None else environment
        layers: list[Mapping[str, Any]] = [dict(options), dict(application or {})]
        unknown = {name for layer in layers for name in layer} - _OPTIONS
        if unknown:
            raise invalid(f"unknown client option(s): {', '.join(sorted(unknown))}")
        pick = partial(_first_given, layers)
        preset = _preset(pick("preset", env.preset))
        parity = pick("parity_mode", env.parity)
        timeout, retries = _PARITY_LIMITS.get(
            parity or "", (preset.http_timeout, preset.http_max_retries)
        )
        config = cls._checked(
            api_key=_api_key(pick("api_key", env.api_key), env, run_command),
            base_url=pick("base_url", env.base_url, DEFAULT_BASE_URL),
            preset=preset,
            timeout=_seconds("timeout", pick("timeout", timeout)),
            max_retries=_count("max_retries", pick("max_retries", retries)),
            submission_window=_seconds(
                "submission_window",
                pick("submission_window", preset.submission_retry_window),
                none_at_all=True,
            ),
            tags=_texts("tags", pick("tags", env.tags or None, preset.default_tags)),
            feature_gates=_texts("feature_gates", pick("feature_gates", env.feature_gates)),
            project_id=pick("project_id", env.project_id),
            telemetry_enabled=bool(pick("telemetry_enabled", env.telemetry_enabled)),
            log_level=_level(pick("log_level", env.log_level)),
            cf_access_client_id=pick("cf_access_client_id", env.cf_access_client_id),
            cf_access_client_secret=pick("cf_access_client_secret", env.cf_access_client_secret),
            dump_headers=bool(pick("dump_headers", env.dump_headers)),
            default_headers=stringify(pick("default_headers", env.default_headers, {})),
            default_query=stringify(pick("default_query", env.default_query, {})),
            proxy=_proxy(pick("proxy", env.proxy), pick("proxy_headers"), env),
            pool_size=_count("pool_size", pick("pool_size", env.pool_size, 50), least=1),
            pool_count=_count("pool_count", pick("pool_count", env.pool_count, 20), least=1),
            poll_backoff=pick("poll_backoff", env.poll_backoff),
            otel_propagate=bool(pick("otel_propagate", env.otel_propagate)),
        )
        extras = ("user_metadata", "display_name", "recovery")
        return replace(config, **{name: pick(name) for name in extras})

    @classmethod
    def _checked(cls, **fields: Any) -> "ClientConfig":
        """Raise `ValidationError` for a value that could only fail later."""
        config = cls(**fields)
        scheme, separator, host = config.base_url.partition("://")
        if scheme not in ("http", "https") or not separator or not host.strip("/"):
            raise invalid(f"base_url must begin with http:// or https://, got {config.base_url!r}")
        _check_host(config.base_url)
        poll_waits(config.poll_backoff)
        return config


_OPTIONS = frozenset(ClientConfig.__dataclass_fields__) | {"parity_mode", "proxy_headers"}


def _check_host(base_url: str) -> None:
    try:
        parts = urlsplit(base_url)
        sound = parts.hostname is not None and (parts.port or 1) > 0
    except ValueError:
        sound = False
    if not sound or any(letter.isspace() for letter in base_url):
        raise invalid(f"base_url is no address: {base_url!r}")


def _level(word: str | None) -> str | None:
    level = parse_log_level(word)
    if word is not None and level is None:
        raise invalid(f"log_level is debug, info, warn or error, got {word!r}")
    return level


def _texts(name: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not all(isinstance(one, str) for one in value):
        raise invalid(f"{name} must be a list of texts, got {value!r}")
    return tuple(value)


def _seconds(name: str, value: Any, *, none_at_all: bool = False) -> float:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if number and math.isfinite(value) and (value > 0 or (none_at_all and value == 0)):
        return float(value)
    raise invalid(f"{name} must be a positive number of seconds, got {value!r}")


def _count(name: str, value: Any, least: int = 0) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= least:
        return value
    raise invalid(f"{name} must be a whole number of at least {least}, got {value!r}")


def _first_given(layers: Sequence[Mapping[str, Any]], name: str, *fallbacks: Any) -> Any:
    """The option from the first layer that has it; `None` counts as not given."""
    candidates = [layer.get(name) for layer in layers]
    return next((value for value in (*candidates, *fallbacks) if value is not None), None)


def _preset(value: Any) -> Preset:
    if isinstance(value, Preset):
        return value
    return PYTHON_LATEST if value is None else preset_named(str(value))


def _proxy(value: Any, headers: Any, env: Environment) -> Proxy | None:
    pairs = () if headers is None else headers
    if isinstance(pairs, str) or not all(_is_pair(one) for one in pairs):
        raise invalid(f"proxy_headers must be (name, text) pairs, got {headers!r}")
    if isinstance(value, Proxy):
        return value
    return parse_proxy(value, tuple(headers or env.proxy_headers))


def _is_pair(value: Any) -> bool:
    pair = isinstance(value, (tuple, list)) and len(value) == 2
    return pair and all(isinstance(part, str) for part in value)


def _api_key(key: str | None, env: Environment, run: Callable[[str], str] | None) -> str:
    """The key, or what the credential command prints."""
    if key is None and env.credential_command is not None:
        key = (run or _run_command)(env.credential_command).strip() or None
    if key is None:
        raise invalid("api_key is required: pass it or set TINKER_API_KEY")
    if not key.startswith(_KEY_PREFIXES):
        raise invalid("api_key must start with the 'tml-' prefix (or be a JWT)")
    return key


def _run_command(command: str) -> str:
    finished = subprocess.run(
        shlex.split(command), capture_output=True, text=True, timeout=_COMMAND_TIMEOUT, check=False
    )
    if finished.returncode != 0:
        raise invalid(f"TINKER_CREDENTIAL_CMD failed with exit code {finished.returncode}")
    return finished.stdout
