"""A web server on this machine with the virtues and vices of those that weights come from."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Web:
    """Files by path, how they are served, and what was asked for."""

    files: dict[str, bytes]
    ranges: bool = True
    sizes: bool = True
    kinds: dict[str, str] = field(default_factory=dict)
    """Media types by path, where it is not that of bytes."""
    cuts: list[int] = field(default_factory=list)
    """Bytes after which the next answers end too early, one each."""
    status: list[int] = field(default_factory=list)
    """Errors of the next answers to range requests, one each."""
    asked: list[str] = field(default_factory=list)
    """`Range` headers in order of arrival."""
    sent: int = 0
    """Bytes of bodies."""
    address: str = ""

    def url(self, path: str) -> str:
        """Return the URL of a file."""
        return f"{self.address}{path}"


@contextmanager
def serve(web: Web) -> Iterator[Web]:
    """Serve the files on a free port for as long as the context lasts."""
    handler = type("Handler", (_Handler,), {"web": web})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    web.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    web: Web

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        web, wanted = self.web, self.headers.get("Range")
        content = web.files.get(self.path.partition("?")[0])
        if content is None:
            self.send_error(404)
            return
        if wanted is not None:
            web.asked.append(wanted)
            if web.status:
                self.send_error(web.status.pop(0))
                return
        self.send_response(206 if wanted and web.ranges else 200)
        if wanted and web.ranges:
            first, last = wanted.removeprefix("bytes=").split("-")
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
            content = content[int(first) : int(last) + 1]
        if web.sizes or wanted:
            self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Type", web.kinds.get(self.path.partition("?")[0], "application/octet-stream"))
        self.end_headers()
        if not body:
            return
        if wanted and web.cuts:
            content = content[: web.cuts.pop(0)]
        # Counted first, for the client may look as soon as it has the last byte.
        web.sent += len(content)
        try:
            self.wfile.write(content)
        except OSError:
            return  # the client wanted the headers alone
        # Whatever was promised: the connection ends here.
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Stay silent."""
