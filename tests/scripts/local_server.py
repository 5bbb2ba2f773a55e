"""A web server on the loopback that serves bytes, and misbehaves as it is told to."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Site:
    """What the server has, what it has been asked for, and how it answers the next requests."""

    base: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)  # method, path, Range header
    cuts: dict[str, list[int]] = field(default_factory=dict)  # path ─▶ bytes after which the next answers break off
    refusals: dict[str, list[int]] = field(default_factory=dict)  # path ─▶ statuses of the next answers
    ranges: bool = True
    shifts: list[int] = field(default_factory=list)  # bytes by which the next ranges are not those asked for
    etag: str = '"one"'

    def add(self, path: str, content: bytes) -> str:
        """Serves `content`; gives its address."""
        self.files[path] = content
        return f"{self.base}/{path}"

    def downloads(self, path: str) -> list[str]:
        """The Range headers of all GET requests for `path`; empty ones for whole files."""
        return [byte_range for method, asked, byte_range in self.asked if (method, asked) == ("GET", path)]


@contextmanager
def serving() -> Iterator[Site]:
    site = Site()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(site))
    server.handle_error = lambda *args: None  # a client that hangs up
    site.base = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def handler_of(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            self.answer()

        def answer(self) -> None:
            path, byte_range = self.path.lstrip("/"), self.headers.get("Range", "")
            site.asked.append((self.command, path, byte_range))
            if path not in site.files:
                return self.send_error(404)
            if self.command == "GET" and site.refusals.get(path):
                return self.send_error(site.refusals[path].pop(0))
            content, start = site.files[path], self.start(byte_range)
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                return self.end_headers()
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Type", "application/gzip")  # whatever it is
            self.send_header("Content-Length", str(len(content) - start))
            self.send_header("ETag", site.etag)
            self.end_headers()
            return self.send_body(path, content[start:]) if self.command == "GET" else None

        def start(self, byte_range: str) -> int:
            """Where the answer begins: at the range's start if that version is still served."""
            same = self.headers.get("If-Range", site.etag) == site.etag
            if not (byte_range and site.ranges and same):
                return 0
            return int(byte_range[len("bytes=") : -1]) + (site.shifts.pop(0) if site.shifts else 0)

        def send_body(self, path: str, body: bytes) -> None:
            cut = site.cuts[path].pop(0) if site.cuts.get(path) else len(body)
            self.wfile.write(body[:cut])  # HTTP/1.0: the connection closes behind it

        def log_message(self, *args) -> None:
            pass

    return Handler
