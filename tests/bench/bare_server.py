"""An app on Hypercorn and nothing else: what the mock is measured beside."""

from hypercorn.asyncio import serve
from hypercorn.config import Config
from starlette.applications import Starlette

BACKLOG = 2048


async def serve_and_tell(app: Starlette) -> None:
    """Serve on a free port until the process is ended; its address is printed first."""
    config = Config.from_mapping(
        bind=["127.0.0.1:0"], loglevel="ERROR", backlog=BACKLOG, keep_alive_max_requests=10**6
    )
    sockets = config.create_sockets()
    name = sockets.insecure_sockets[0].getsockname()
    print(f"http://127.0.0.1:{name[1]}", flush=True)
    config.create_sockets = lambda: sockets  # type: ignore[method-assign]
    await serve(app, config)  # type: ignore[arg-type]
