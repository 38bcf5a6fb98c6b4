"""`ClientConfig`: every setting of a client, resolved once and immutable."""

import base64
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote, urlsplit

from tinker_mock.client.config.environment import Environment, read_environment, stringify
from tinker_mock.client.config.presets import PRESETS, PYTHON_LATEST, Preset, preset_named
from tinker_mock.client.errors import invalid

DEFAULT_BASE_URL = "https://tinker.thinkingmachines.dev/services/tinker-prod"


_PARITY_LIMITS = {"python": (60.0, 10), "beam": (120.0, 2)}


_KEY_PREFIXES = ("tml-", "eyJ")


_COMMAND_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where requests go through. Credentials travel in `headers`, hidden from the repr."""

    scheme: str
    host: str
    port: int
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


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
        **options: Any,
    ) -> "ClientConfig":
        """Put the sources together.

        Options are the fields of this class; besides, `preset` may be a name, `proxy` a URL or
        (scheme, host, port), `parity_mode` "python" or "beam" (timeout and retries).
        Raises `ValidationError` for an unknown option, a missing or malformed key, a bad proxy.
        """
        env = read_environment() if environment is None else environment
        layers = [options, dict(application or {})]
        unknown = {name for layer in layers for name in layer} - _OPTIONS
        if unknown:
            raise invalid(f"unknown client option(s): {', '.join(sorted(unknown))}")
        pick = _Picker(layers)
        preset = _preset(pick.get("preset", env.preset))
        parity = pick.get("parity_mode", env.parity)
        timeout, retries = _PARITY_LIMITS.get(
            parity or "", (preset.http_timeout, preset.http_max_retries)
        )
        config = cls(
            api_key=_api_key(pick.get("api_key", env.api_key), env, run_command),
            base_url=pick.get("base_url", env.base_url, DEFAULT_BASE_URL),
            preset=preset,
            timeout=float(pick.get("timeout", timeout)),
            max_retries=int(pick.get("max_retries", retries)),
            submission_window=float(pick.get("submission_window", preset.submission_retry_window)),
            tags=tuple(pick.get("tags", env.tags or None, preset.default_tags)),
            feature_gates=tuple(pick.get("feature_gates", env.feature_gates)),
            telemetry_enabled=bool(pick.get("telemetry_enabled", env.telemetry_enabled)),
            log_level=pick.get("log_level", env.log_level),
            cf_access_client_id=pick.get("cf_access_client_id", env.cf_access_client_id),
            cf_access_client_secret=pick.get(
                "cf_access_client_secret", env.cf_access_client_secret
            ),
            dump_headers=bool(pick.get("dump_headers", env.dump_headers)),
            default_headers=stringify(pick.get("default_headers", env.default_headers, {})),
            default_query=stringify(pick.get("default_query", env.default_query, {})),
            proxy=_proxy(pick.get("proxy", env.proxy), pick.get("proxy_headers"), env),
            pool_size=int(pick.get("pool_size", env.pool_size, 50)),
            pool_count=int(pick.get("pool_count", env.pool_count, 20)),
        )
        extras = ("user_metadata", "project_id", "recovery")
        return replace(config, **{name: pick.get(name) for name in extras})


_OPTIONS = frozenset(ClientConfig.__dataclass_fields__) | {"parity_mode", "proxy_headers"}


class _Picker:
    """First layer that names an option wins; an explicit `None` counts as not named."""

    def __init__(self, layers: Sequence[Mapping[str, Any]]) -> None:
        self._layers = layers

    def get(self, name: str, *fallbacks: Any) -> Any:
        candidates = [layer.get(name) for layer in self._layers]
        return next((value for value in (*candidates, *fallbacks) if value is not None), None)


def _preset(value: Any) -> Preset:
    if isinstance(value, Preset):
        return value
    return PYTHON_LATEST if value is None else preset_named(str(value))


def _proxy(value: Any, headers: Any, env: Environment) -> Proxy | None:
    if isinstance(value, Proxy):
        return value
    return parse_proxy(value, tuple(headers or env.proxy_headers))


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


__all__ = ["DEFAULT_BASE_URL", "PRESETS", "ClientConfig"]


REDACTED = "[REDACTED]"


SECRET_HEADERS = frozenset(
    {
        "x-api-key",
        "cf-access-client-secret",
        "authorization",
        "proxy-authorization",
        "x-tinker-weights-access-token",
    }
)


def mask_api_key(key: str | None) -> str:
    """Show enough of a key to recognise it: first six and last four characters at most."""
    if not key:
        return ""
    if len(key) <= 4:
        return "*" * len(key)
    return f"{key[: min(6, len(key) - 2)]}...{key[-4:]}"


def redact_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """A copy that may be logged."""
    return {
        name: REDACTED if name.lower() in SECRET_HEADERS else value
        for name, value in headers.items()
    }


_DEFAULT_PORTS = {"http": 80, "https": 443}


def parse_proxy(
    value: str | Sequence[object] | None, headers: Sequence[tuple[str, str]] = ()
) -> Proxy | None:
    """Read a proxy setting; user and password in a URL become a Basic authorization header.

    Raises `ValidationError` for another scheme, a missing host or a port outside 1–65535.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return _from_url(value, tuple(headers))
    parts = list(value)
    if len(parts) == 3:
        scheme, host, port = parts
        if scheme in _DEFAULT_PORTS and isinstance(host, str) and host and _is_port(port):
            return Proxy(str(scheme), host, int(str(port)), tuple(headers))
    raise invalid(f"proxy must be (http|https, host, port 1-65535) or a URL, got {parts!r}")


def _from_url(url: str, headers: tuple[tuple[str, str], ...]) -> Proxy:
    try:
        split = urlsplit(url)
        port = split.port
    except ValueError as error:
        raise invalid(f"proxy must be a URL string or (scheme, host, port): {error}") from None
    if not split.scheme or not split.hostname:
        raise invalid("proxy must be a URL string or (scheme, host, port), e.g. http://host:8080")
    if split.scheme not in _DEFAULT_PORTS:
        raise invalid(f"proxy URL scheme must be http or https, got {split.scheme!r}")
    if split.username is not None:
        credentials = f"{unquote(split.username)}:{unquote(split.password or '')}"
        token = base64.b64encode(credentials.encode()).decode()
        headers = (("proxy-authorization", f"Basic {token}"), *headers)
    return Proxy(split.scheme, split.hostname, port or _DEFAULT_PORTS[split.scheme], headers)


def _is_port(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65536
