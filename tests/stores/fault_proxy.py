"""An HTTP proxy that injects faults into requests, by script or by a seeded plan.

It forwards bytes as they are, so that signatures stay valid. As a program, for the chaos suite:
`python -m tests.stores.fault_proxy --listen 0 --upstream HOST:PORT --seed 1 --rate 0.2`
"""

import argparse
import asyncio
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

FAULTS = ("slow_down", "internal_error", "cut_upload", "cut_download", "truncate", "lost_answer", "stall")
"""Faults of the seeded plan; scripts also have `answer`, `unframed`, `stall_upload`, and `delay`, which is none."""

_ANSWERS = {"slow_down": (503, "SlowDown"), "internal_error": (500, "InternalError")}
_PIECE = 2**14


@dataclass
class Rule:
    """One scripted fault: it strikes the matching requests, `times` of them after `skip` others.

    `at` is the number of body bytes that pass before a cut (-1: a random number); `lag_s` is the time from a cut of the
    client's connection to that of the server's; `status` and `code` are those of the fault `answer`; a request with
    `delay` is forwarded whole after `delay_s`.
    """

    fault: str
    method: str = ""
    path: str = ""
    skip: int = 0
    times: int = 10**9
    at: int = -1
    lag_s: float = 0.0
    status: int = 403
    code: str = "AccessDenied"
    delay_s: float = 0.0

    def strikes(self, method: str, path: str) -> bool:
        """Return whether this request gets the fault, and count it."""
        if (self.method and method != self.method) or self.path not in path or self.times <= 0:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        return True


@dataclass(frozen=True)
class _Head:
    raw: bytes
    first: str
    fields: dict[str, str]

    @property
    def length(self) -> int | None:
        """Length of the body; None when it is not given; -1 for a chunked one."""
        if "chunked" in self.fields.get("transfer-encoding", ""):
            return -1
        return int(self.fields["content-length"]) if "content-length" in self.fields else None


class FaultProxy:
    """The proxy in a thread of its own; rules may be added while it runs. Use it in a `with` block."""

    def __init__(
        self,
        upstream: str,
        rules: Sequence[Rule] = (),
        *,
        seed: int = 0,
        rate: float = 0.0,
        faults: Sequence[str] = FAULTS,
        listen: int = 0,
        stall_s: float = 60.0,
    ) -> None:
        self._upstream = upstream.rpartition(":")[0], int(upstream.rpartition(":")[2])
        self._seed = seed
        self.reset(rules, rate=rate, faults=faults, stall_s=stall_s)
        self._listen = listen
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()
        self.port = 0

    def reset(
        self, rules: Sequence[Rule] = (), *, rate: float = 0.0, faults: Sequence[str] = FAULTS, stall_s: float = 60.0
    ) -> None:
        """Clear the history and start again with the same seed."""
        self.rules = list(rules)
        self.rate = rate
        self.faults = tuple(faults)
        self.stall_s = stall_s
        self.requests: list[tuple[str, str, str]] = []
        """Every request so far: method, path with query, and its fault or nothing."""
        self._random = random.Random(self._seed)

    @property
    def endpoint(self) -> str:
        """URL of the proxy."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def struck(self) -> Counter[str]:
        """Number of requests that got each fault."""
        return Counter(fault for _, _, fault in self.requests if fault)

    def __enter__(self) -> "FaultProxy":
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", self._listen))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    def _choose(self, method: str, path: str) -> Rule | None:
        for rule in self.rules:
            if rule.strikes(method, path):
                return rule
        # Both numbers are drawn for every request, so that the plan of the next one does not depend on this one.
        lot, fault = self._random.random(), self._random.choice(self.faults)
        return Rule(fault) if lot < self.rate else None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            while (head := await _head(reader)) is not None:
                method, path, _ = head.first.split(" ", 2)
                rule = self._choose(method, path)
                self.requests.append((method, path, rule.fault if rule else ""))
                if not await self._exchange(head, method, rule, reader, writer):
                    break
        with suppress(ConnectionError):
            writer.close()

    async def _exchange(
        self,
        head: _Head,
        method: str,
        rule: Rule | None,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        """Forward one request and its answer; return False when the connection is closed."""
        fault = rule.fault if rule else ""
        if rule and fault == "delay":
            await asyncio.sleep(rule.delay_s)
        if fault in ("slow_down", "internal_error", "answer"):
            status, code = _ANSWERS.get(fault, (rule.status, rule.code) if rule else (0, ""))
            await _refuse(head, method, status, code, reader, writer)
            return False
        if fault == "stall":
            await _idle(reader, self.stall_s)
            return False
        server_reader, server_writer = await asyncio.open_connection(*self._upstream)
        server_writer.write(head.raw)
        upload = asyncio.ensure_future(self._upload(head, rule, reader, server_writer))
        download = asyncio.ensure_future(self._download(method, rule, server_reader, writer))
        try:
            done, _ = await asyncio.wait({upload, download}, return_when=asyncio.FIRST_COMPLETED)
            if upload in done and not upload.result():
                _reset(writer)
                return False
            going_on = await download
            return going_on and upload.done() and upload.result()
        finally:
            upload.cancel()
            download.cancel()
            # Nothing more may reach the server once a connection is cut.
            if rule and rule.lag_s:
                self._loop.call_later(rule.lag_s, _reset, server_writer)
            else:
                _reset(server_writer) if fault not in ("", "delay") else server_writer.close()

    async def _upload(
        self, head: _Head, rule: Rule | None, reader: asyncio.StreamReader, server: asyncio.StreamWriter
    ) -> bool:
        fault = rule.fault if rule else ""
        size = max(0, head.length or 0)
        broken = fault in ("cut_upload", "stall_upload")
        left = self._offset(rule, size) if rule and broken else 10**15
        async for piece in _body(reader, head, none=True):
            server.write(piece[:left])
            await server.drain()
            left -= len(piece)
            if left <= 0:
                break
        if fault == "stall_upload":
            await _idle(reader, self.stall_s)
        if broken:
            # The bytes sent must arrive before the connection breaks, else every cut would be at byte 0.
            await asyncio.sleep(0.01)
        return not broken

    async def _download(
        self, method: str, rule: Rule | None, server: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        fault = rule.fault if rule else ""
        while True:
            head = await _head(server)
            if head is None:
                return False
            if head.first.split(" ")[1].startswith("1"):
                writer.write(head.raw)
                await writer.drain()
                continue
            break
        if fault == "lost_answer":
            _reset(writer)
            return False
        bodiless = method == "HEAD" or head.first.split(" ")[1] in ("204", "304")
        broken = fault in ("cut_download", "truncate", "unframed") and not bodiless
        left = self._offset(rule, max(0, head.length or 0)) if rule and broken else 10**15
        writer.write(_without_length(head.raw) if fault == "unframed" else head.raw)
        if not bodiless:
            async for piece in _body(server, head, none=False):
                writer.write(piece[:left])
                await writer.drain()
                left -= len(piece)
                if left <= 0:
                    break
        if fault == "cut_download":
            await asyncio.sleep(0.01)
            _reset(writer)
        return not broken and "close" not in head.fields.get("connection", "") and (bodiless or head.length is not None)

    def _offset(self, rule: Rule, size: int) -> int:
        return rule.at if rule.at >= 0 else self._random.randrange(size) if size else 0


async def _head(reader: asyncio.StreamReader) -> _Head | None:
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return _Head(raw, first, fields)


async def _body(reader: asyncio.StreamReader, head: _Head, none: bool) -> AsyncIterator[bytes]:
    """Yield the raw bytes of a body; `none`: a body without a length is empty (requests)."""
    length = head.length
    if length is None and none:
        return
    if length == -1:
        while True:
            line = await reader.readline()
            size = int(line.partition(b";")[0], 16)
            yield line
            if size == 0:
                break
            yield await reader.readexactly(size + 2)
        while (line := await reader.readline()) not in (b"\r\n", b""):
            yield line
        yield b"\r\n"
        return
    left = 10**15 if length is None else length
    while left and (piece := await reader.read(min(left, _PIECE))):
        left -= len(piece)
        yield piece


async def _refuse(
    head: _Head, method: str, status: int, code: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    if "100-continue" not in head.fields.get("expect", ""):
        async for _ in _body(reader, head, none=True):
            pass
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f"<Error><Code>{code}</Code><Message>{code} by the proxy</Message><RequestId>0</RequestId></Error>"
    )
    lines = [f"HTTP/1.1 {status} {code}", "Content-Type: application/xml", f"Content-Length: {len(text)}"]
    answer = "\r\n".join([*lines, "Connection: close", "", ""])
    writer.write(answer.encode() if method == "HEAD" else (answer + text).encode())
    await writer.drain()


async def _idle(reader: asyncio.StreamReader, seconds: float) -> None:
    """Keep a client waiting until it disconnects, which only a read can detect."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while await reader.read(_PIECE):
                pass


def _without_length(raw: bytes) -> bytes:
    lines = [line for line in raw.rstrip(b"\r\n").split(b"\r\n") if not line.lower().startswith(b"content-length:")]
    return b"\r\n".join([*lines, b"Connection: close", b"", b""])


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with a reset instead of an orderly close."""
    found = writer.get_extra_info("socket")
    if found is not None:
        with suppress(OSError):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listen", type=int, default=0, help="port; 0 takes a free one, which is printed")
    parser.add_argument("--upstream", required=True, help="HOST:PORT of the S3 server")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rate", type=float, default=0.2, help="share of broken requests")
    parser.add_argument("--faults", default=",".join(FAULTS))
    parser.add_argument("--stall-s", type=float, default=60.0)
    arguments = parser.parse_args()
    proxy = FaultProxy(
        arguments.upstream,
        seed=arguments.seed,
        rate=arguments.rate,
        faults=arguments.faults.split(","),
        listen=arguments.listen,
        stall_s=arguments.stall_s,
    )
    with proxy:
        print(proxy.endpoint, flush=True)  # noqa: T201
        threading.Event().wait()


if __name__ == "__main__":
    main()
