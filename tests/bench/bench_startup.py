"""Time to the first answer and idle memory of `python -m tinker_mock.server`, beside a bare server.

The bare server is the same Hypercorn with one constant route: what the stack costs by itself.
Both have their bytecode, as whatever pip installed has. Limits of the project: 0.7 s and 100 MB.
"""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from tests.bench.raw_http import cpu_seconds

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


def measure(command: list[str], bytecode: str) -> tuple[float, float, float]:
    """Seconds from process start to the first 200, those of the processor, and resident megabytes
    afterwards."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = bytecode
    began = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as server:
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
            return seconds, cpu_seconds(server.pid), resident_megabytes(server.pid)
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
    with TemporaryDirectory() as bytecode:
        for name, command in rows.items():
            measure(command, bytecode)
            runs = [measure(command, bytecode) for _ in range(5)]
            medians[name] = [statistics.median(column) for column in zip(*runs, strict=True)]
            seconds, spent, size = medians[name]
            print(f"{name:28} {seconds:6.2f} s {size:7.1f} MB {spent:7.3f} s of the processor")
    mock, bare = medians.values()
    ratios = [one / beside for one, beside in zip(mock, bare, strict=True)]
    print(f"{'mock / bare':28} {ratios[0]:6.2f} x {ratios[2]:6.2f} x {ratios[1]:7.2f} x")
    print(f"{'mock / limit':28} {mock[0] / 0.7:6.2f} x {mock[2] / 100:6.2f} x")


if __name__ == "__main__":
    main()
