"""HTTP/1.1 over a plain socket: a client that costs nothing beside the server it measures."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson


def cpu_seconds(pid: int) -> float:
    """What a process has used, all its threads that are alive, by the scheduler's count."""
    return sum(_thread_seconds(thread) for thread in Path(f"/proc/{pid}/task").iterdir())


def process_seconds(pid: int) -> float:
    """What a process has used, with its threads that have ended, by the kernel's ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _thread_seconds(task: Path) -> float:
    return int((task / "schedstat").read_text().split()[0]) / 1e9


@dataclass
class Reply:
    """Status and body of one answer."""

    status: int
    content: bytes

    @property
    def value(self) -> Any:
        return orjson.loads(self.content)


def request_bytes(
    url: str, key: str, path: str, body: Any, prefix: str = "/api/v1/", **headers: str
) -> bytes:
    """The bytes of a POST, with the head that an SDK sends in short."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    told = {
        "Host": urlsplit(url).netloc,
        "X-API-Key": key,
        "User-Agent": "AsyncTinker/Python 0.38.0",
        "X-Stainless-Package-Version": "0.38.0",
        "X-Stainless-Lang": "python",
        "Accept": "application/json",
        "Content-Type": "application/json",
        "Content-Length": str(len(content)),
    }
    lines = [f"{name}: {value}" for name, value in {**told, **given}.items()]
    start = f"POST {prefix}{path} HTTP/1.1"
    return "\r\n".join([start, *lines]).encode() + b"\r\n\r\n" + content


class RawClient:
    """One connection, with an API key."""

    def __init__(self, url: str, key: str = "tml-bench", prefix: str = "/api/v1/") -> None:
        where = urlsplit(url)
        self.socket = socket.create_connection((where.hostname or "127.0.0.1", where.port or 80))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.url, self.key, self.prefix = url, key, prefix
        self._left = b""

    def request(self, path: str, body: Any, **headers: str) -> bytes:
        """The bytes of a POST."""
        return request_bytes(self.url, self.key, path, body, self.prefix, **headers)

    def send(self, request: bytes) -> None:
        self.socket.sendall(request)

    def receive(self) -> Reply:
        """The next answer."""
        data = self._left
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._more()
        head, data = data[:end].lower(), data[end + 4 :]
        size = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        while len(data) < size:
            data += self._more()
        self._left = data[size:]
        return Reply(int(head.split()[1]), data[:size])

    def _more(self) -> bytes:
        data = self.socket.recv(1 << 20)
        if not data:
            raise ConnectionError("the server hung up")
        return data

    def post(self, path: str, body: Any, **headers: str) -> Any:
        """Send, receive, and give the JSON value."""
        self.send(self.request(path, body, **headers))
        return self.receive().value

    def done(self, path: str, body: Any) -> Any:
        """Submit, and poll until there is a result."""
        answer = self.post(path, body)
        if "request_id" not in answer:
            raise RuntimeError(f"{path}: {answer}")
        promise = {"request_id": answer["request_id"]}
        while True:
            result = self.post("retrieve_future", promise)
            if result.get("type") != "try_again":
                return result

    def model(self, base: str = "Qwen/Qwen3-8B") -> str:
        """A new training model's id."""
        told: dict[str, Any] = {"tags": [], "sdk_version": "0.38.0", "user_metadata": None}
        session = self.post("create_session", told)["session_id"]
        lora = {"base_model": base, "lora_config": {"rank": 8}, "model_seq_id": 0}
        made: str = self.done("create_model", {"session_id": session} | lora)["model_id"]
        return made

    def close(self) -> None:
        self.socket.close()
