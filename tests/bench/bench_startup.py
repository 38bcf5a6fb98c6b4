"""Time to the first answer and idle memory of `python -m tinker_mock.server`, beside a bare server.

The bare server is the same Hypercorn with one constant route: what the stack costs by itself.
Limits of the project: 0.7 s and 100 MB.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

import httpx

BARE = """
import asyncio
from hypercorn.asyncio import serve
from hypercorn.config import Config
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

async def answer(request):
    return JSONResponse({"status": "ok"})

app = Starlette(routes=[Route("/api/v1/healthz", answer)])
config = Config.from_mapping(bind=["127.0.0.1:0"], errorlog=None)
sockets = config.create_sockets()
print("ready at http://127.0.0.1:%d" % sockets.insecure_sockets[0].getsockname()[1], flush=True)
config.create_sockets = lambda: sockets
asyncio.run(serve(app, config))
"""


def measure(command: list[str]) -> tuple[float, float]:
    """Seconds from process start to the first 200, and resident megabytes afterwards."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            url = next(line for line in server.stdout if "http://" in line).split()[-1]
            while True:
                try:
                    httpx.get(f"{url}/api/v1/healthz").raise_for_status()
                    break
                except httpx.ConnectError:
                    continue
            seconds = time.perf_counter() - began
            return seconds, resident_megabytes(server.pid)
        finally:
            server.terminate()


def resident_megabytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def main() -> None:
    """Print both, five runs each, medians and ratios."""
    rows = {
        "mock": [sys.executable, "-m", "tinker_mock.server", "--port", "0"],
        "bare Starlette + Hypercorn": [sys.executable, "-c", BARE],
    }
    medians = {}
    for name, command in rows.items():
        runs = [measure(command) for _ in range(5)]
        medians[name] = [statistics.median(column) for column in zip(*runs, strict=True)]
        print(f"{name:28} {medians[name][0]:6.2f} s {medians[name][1]:7.1f} MB")
    mock, bare = medians.values()
    print(f"{'mock / bare':28} {mock[0] / bare[0]:6.2f} x {mock[1] / bare[1]:6.2f} x")
    print(f"{'mock / limit':28} {mock[0] / 0.7:6.2f} x {mock[1] / 100:6.2f} x")


if __name__ == "__main__":
    main()
