"""`tinker.auth`: is there a key, and does the service take it?"""

from tinker_mock.client.compat.clients import ServiceClient
from tinker_mock.client.config import ClientConfig, read_environment
from tinker_mock.client.errors import TinkerError


def get_tinker_token() -> str | None:
    """The key of the environment, or None; the credential command is not run."""
    return read_environment().api_key


def tinker_has_credentials() -> bool:
    """Whether there is a key, or a command that would print one."""
    environment = read_environment()
    return bool(environment.api_key or environment.credential_command)


def raise_if_tinker_not_accessible() -> None:
    """Ask the service for its models, once. Raises a `TinkerError` if that does not work."""
    config = ClientConfig.resolve(max_retries=0)
    service = ServiceClient(base_url=config.base_url, api_key=config.api_key)
    try:
        service.get_server_capabilities()
    except TinkerError:
        raise
    finally:
        service.close("success").result()
