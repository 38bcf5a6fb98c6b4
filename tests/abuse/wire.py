"""Bytes that are almost HTTP: mutated heads, lengths that lie, frames that make no sense."""

import random
import socket
from collections import Counter

BODY = b'{"tags":[],"sdk_version":"0.38.0"}'
HEAD = (
    b"POST /api/v1/create_session HTTP/1.1\r\nhost: localhost\r\nx-api-key: tml-fuzz\r\n"
    b"content-type: application/json\r\n"
)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SHAPES = [
    HEAD + b"content-length: 34\r\n\r\n" + BODY,
    HEAD + b"content-length: 5\r\n\r\n" + BODY,
    HEAD + b"content-length: -1\r\n\r\n" + BODY,
    HEAD + b"content-length: 99999999999999999999\r\n\r\n" + BODY,
    HEAD
    + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n22\r\n"
    + BODY
    + b"\r\n0\r\n\r\n",
    HEAD + b"transfer-encoding: xchunked\r\n\r\n" + BODY,
    HEAD + b"transfer-encoding: chunked\r\n\r\nZZZ\r\n" + BODY,
    HEAD + b"x-big: " + b"a" * 65536 + b"\r\n\r\n",
    b"GET /" + b"a" * 12_000 + b" HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"GET /api/v1/healthz HTTP/1.1\r\n\r\n",
    b"\xff\xfe /api HTTP/1.1\r\nhost: x\r\n\r\n",
    b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nhost: x\r\n\r\n",
    b"GET /api/v1/healthz HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n",
    b"GET /api/v1/healthz HTTP/1.1\r\nhost: x\r\nconnection: Upgrade, HTTP2-Settings\r\n"
    b"upgrade: h2c\r\nhttp2-settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n",
    (HEAD + b"content-length: 34\r\n\r\n" + BODY) * 20,
    bytes.fromhex("1603010200010001fc0303"),
]


def frames(luck: random.Random) -> bytes:
    """An HTTP/2 connection of random frames."""
    content = PREFACE
    for _ in range(luck.randrange(1, 6)):
        size = luck.randrange(60)
        head = size.to_bytes(3, "big") + bytes([luck.randrange(12), luck.randrange(256)])
        content += head + luck.randrange(9).to_bytes(4, "big") + luck.randbytes(size)
    return content


def lies(port: int, count: int, seed: int, statuses: Counter[int]) -> list[str]:
    """Send them; what is wrong with the answers, and whether the server still lives."""
    luck, faults = random.Random(seed), []
    for number in range(count):
        content = bytearray(luck.choice(SHAPES)) if luck.random() < 0.8 else bytearray(frames(luck))
        for _ in range(luck.randrange(8)):
            content[luck.randrange(len(content))] = luck.randrange(256)
        answer = said(port, bytes(content))
        if answer.startswith(b"HTTP/1.1 "):
            status = int(answer[9:12])
            statuses[status] += 1
            if status >= 500:
                faults.append(f"lie {number}, seed {seed}: {status} to {bytes(content[:200])!r}")
    healthy = b"GET /api/v1/healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    if not said(port, healthy).startswith(b"HTTP/1.1 200"):
        faults.append("the server does not answer any more")
    return faults


def said(port: int, content: bytes) -> bytes:
    """What comes back until the connection ends; the client's half is closed at once."""
    answer = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            client.sendall(content)
            client.shutdown(socket.SHUT_WR)
            while piece := client.recv(65536):
                answer += piece
    except OSError:
        pass
    return answer
