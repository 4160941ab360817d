"""A reverse proxy of forty lines: takes everything under a prefix and hands it on without it, streaming answers."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@contextmanager
def proxy(target: str, prefix: str, headers: dict[str, str] | None = None) -> Iterator[str]:
    """Serve `target` under `prefix` on a free port of loopback; `headers` are added to every request.

    Yields:
        The public address, with the prefix.
    """
    inner = urlsplit(target)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def handle_one(self) -> None:
            if not self.path.startswith(f"{prefix}/"):
                self.send_error(404)
                return
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            passed = {k: v for k, v in self.headers.items() if k.casefold() not in ("host", "connection")}
            passed |= {"Host": f"{inner.hostname}:{inner.port}", "X-Forwarded-Host": self.headers["Host"],
                       "X-Forwarded-Proto": "http", **(headers or {})}  # fmt: skip
            connection = http.client.HTTPConnection(str(inner.hostname), inner.port, timeout=60)
            connection.request(self.command, self.path.removeprefix(prefix), body, passed)
            answer = connection.getresponse()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.casefold() not in ("transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.end_headers()
            while piece := answer.read1(65536):
                self.wfile.write(piece)
                self.wfile.flush()
            connection.close()

        do_GET = do_POST = do_HEAD = handle_one

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}{prefix}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
