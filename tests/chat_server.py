"""An endpoint on loopback for tests: answers every request as the test says and keeps what was asked."""

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Hands every request to the server's current `reply` and keeps what was asked."""

    server: "Server"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.request_json = json.loads(body)
        self.server.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}, self.request_json))
        self.server.reply(self)

    def do_GET(self) -> None:
        self.request_json = {}
        self.server.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}, {}))
        self.server.reply(self)

    def send(self, status: int, body: bytes, content_type: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.reply: Reply = completion("[]")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up on a slow answer is what the test wants."""


def completion(content: str | None, *, usage: dict[str, int] | None = None, **message: Any) -> Reply:
    data = {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content, **message}}
        ],
        **({"usage": {**usage, "total_tokens": sum(usage.values())}} if usage else {}),
    }
    return lambda handler: handler.send(200, json.dumps(data).encode())
