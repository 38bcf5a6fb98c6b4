"""`tinker-mock proxy --upstream URL`: forward to a real endpoint and judge what passes.

examples:
  tinker-mock proxy --upstream https://my-server.example --port 8766
  tinker-mock proxy --upstream https://my-server.example --scenario flaky-network
"""

import argparse
import sys
from dataclasses import replace
from urllib.parse import urlsplit

from tinker_mock.server.errors import ConfigurationError
from tinker_mock.server.serving import control_key, limit_options
from tinker_mock.server.serving.command import announce, bind_socket, serve_until_signal
from tinker_mock.server.serving.options import add_log_options, port_number
from tinker_mock.server.settings import DEFAULT_PORT, Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `proxy`."""
    add = parser.add_argument
    add("--upstream", required=True, metavar="URL", help="the endpoint to forward to")
    add("--host", default="127.0.0.1", help="address to bind (default %(default)s)")
    add(
        "--port", type=port_number, default=DEFAULT_PORT, help="0 chooses a free port (%(default)s)"
    )
    add("--seed", type=int, default=0, help="faults follow from it")
    add("--scenario", metavar="NAME|FILE", help="faults put in front of the endpoint")
    add("--fail-on", choices=("violation",), help="exit with 1 if either side broke the contract")
    add_log_options(parser)
    control_key.add_arguments(parser)
    limit_options.add_traffic_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Forward until SIGINT or SIGTERM. Exit code 0, 1 with violations under --fail-on, 2 for a
    configuration that cannot work."""
    try:
        return proxy(arguments)
    except ConfigurationError as error:
        print(f"tinker-mock proxy: {error}", file=sys.stderr)
        return 2


def proxy(arguments: argparse.Namespace) -> int:
    """Bind, announce, forward."""
    address = urlsplit(arguments.upstream)
    if address.scheme not in ("http", "https") or not address.netloc:
        raise ConfigurationError(f"--upstream {arguments.upstream!r} is no http(s) address")
    known = Settings.__dataclass_fields__.keys() - control_key.GIVEN
    told = {k: v for k, v in vars(arguments).items() if k in known}
    settings = control_key.guarded(Settings(**told, **control_key.given(arguments)))
    with bind_socket(settings.host, settings.port) as listener:
        settings = replace(settings, port=listener.getsockname()[1])
        from tinker_mock.server.proxy_app import create_proxy

        app = create_proxy(arguments.upstream, settings)
        return serve_until_signal(app, settings, listener, lambda: announce(settings, ""))
