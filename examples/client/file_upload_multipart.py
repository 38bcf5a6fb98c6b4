"""Files and nested fields in a form, to an address of your own."""

import json
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from tinker_mock.client import ServiceClient


class Upload(BaseHTTPRequestHandler):
    """Says how many bytes came, and which fields."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        fields = [name for name in (b"note", b"metadata[source]", b"file") if name in body]
        answer = json.dumps({"fields": [name.decode() for name in fields]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        return None


server = HTTPServer(("127.0.0.1", 0), Upload)
threading.Thread(target=server.serve_forever, daemon=True).start()
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "sample.bin"
    path.write_bytes(b"abc")
    with ServiceClient(base_url=f"http://127.0.0.1:{server.server_port}") as service:
        fields = {"note": "example", "metadata": {"source": "disk"}}
        print(service.post("/upload", fields, files={"file": str(path)})["fields"])
server.shutdown()
