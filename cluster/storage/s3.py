"""A run folder on S3 and compatible stores, with as few requests for an operation as possible."""

# s3fs makes the client and runs its event loop; the requests are ours, because its own operations wait and retry on
# their own, request sizes first, fill a short answer to a range with zeros, and leave parts behind when an upload
# fails.

import asyncio
import errno
import io
import os
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import suppress
from typing import Any

import s3fs
from botocore.exceptions import ClientError

from synfiqa.cluster.storage.base import Entry
from synfiqa.cluster.storage.faults import code_of
from synfiqa.cluster.storage.retrying import Retrying
from synfiqa.cluster.storage.s3_endpoint import CA_BUNDLE, ENDPOINTS, check_ca_bundle, check_endpoint
from synfiqa.schemas.errors import UserError

PART_BYTES = 32 * 2**20
"""Size of the parts of a multipart upload; all equal but the last, as some stores require."""
STALL_S = 20.0
"""Seconds without a transferred byte after which a connection is closed."""
SLOWEST_BYTES_PER_S = 2**18
"""Slowest accepted rate of an upload: its time limit is size / rate + STALL_S."""

PAGE = 1000
"""Names requested in one page of a listing, the most that S3 returns."""

_ENVIRONMENT = (
    *ENDPOINTS,
    CA_BUNDLE,
    "AWS_DEFAULT_REGION",
    "AWS_PROFILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
)
_CONCURRENT = 32
_ABORT_S = 30.0
_KEPT = 4
_clients: dict[tuple[object, ...], s3fs.S3FileSystem] = {}
_existing: set[str] = set()  # buckets that have answered a request


class S3Store:
    """Objects below `s3://bucket/prefix`; endpoint, region and credentials come from the AWS_* environment."""

    def __init__(self, url: str, retrying: Retrying) -> None:
        scheme, _, path = url.partition("://")
        # A slash inside a secret cuts it off here; bucket names contain no colon.
        if {"@", ":"} & set(path.partition("/")[0]):
            raise UserError(
                f"the {scheme}:// URL of the run holds credentials; "
                "give them as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment"
            )
        self._bucket, _, prefix = path.partition("/")
        if not self._bucket:
            raise UserError(f"{url} has no bucket; give s3://bucket/folder")
        check_endpoint()
        check_ca_bundle()
        self._prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        self._retrying = retrying

    def read(self, path: str) -> bytes:
        """Return the whole object."""
        return self._wait(self._read(path))

    def read_each(self, paths: Sequence[str]) -> list[bytes | Exception]:
        """Read the objects, a few dozen concurrently."""

        async def read_all() -> list[bytes | Exception]:
            found: list[bytes | Exception] = [FileNotFoundError()] * len(paths)
            waiting = iter(enumerate(paths))

            async def worker() -> None:
                for at, path in waiting:
                    try:
                        found[at] = await self._read(path)
                    except Exception as error:
                        found[at] = error

            await asyncio.gather(*(worker() for _ in range(min(_CONCURRENT, len(paths)))))
            return found

        return self._wait(read_all())

    def read_range(self, path: str, start: int, length: int) -> bytes:
        """Return a part of the object."""
        return self._wait(self._read_range(path, start, length))

    def put(self, path: str, data: bytes) -> None:
        """Write the object in one request, or as a multipart upload that is aborted on an error."""
        if len(data) <= 2 * PART_BYTES:
            self._send("put_object", data, Key=self._prefix + path)
        else:
            self._put_parts(path, data)

    def put_if_absent(self, path: str, data: bytes) -> bool:
        """Write the object with If-None-Match, or unconditionally where the store does not support it."""
        absent = {"IfNoneMatch": "*"}
        try:
            if len(data) <= 2 * PART_BYTES:
                self._send("put_object", data, Key=self._prefix + path, **absent)
            else:
                self._put_parts(path, data, **absent)
        except Exception as error:
            code = code_of(error)
            if code in ("PreconditionFailed", "412"):
                return False
            if code not in ("NotImplemented", "501"):
                raise
            self.put(path, data)
        return True

    def head(self, path: str) -> Entry:
        """Return length and time of the object."""
        return self._wait(self._head(path), 2 * _limit(0))

    def delete(self, path: str) -> None:
        """Delete the object; a missing one is no error."""
        with suppress(FileNotFoundError):
            self._wait(self._call("delete_object", Key=self._prefix + path), _limit(0))

    def scan(self, prefix: str) -> list[Entry]:
        """List every object below the folder, page by page."""
        top = f"{self._prefix}{prefix}/" if prefix else self._prefix
        return [
            Entry(found["Key"].removeprefix(self._prefix), int(found["Size"]), found["LastModified"].timestamp())
            for page in self._pages(Prefix=top)
            for found in page.get("Contents", ())
            # An object whose name ends in "/" is a folder marker of another tool.
            if not found["Key"].endswith("/")
        ]

    def children(self) -> list[str]:
        """Return the names directly in the folder."""
        names: list[str] = []
        for page in self._pages(Prefix=self._prefix, Delimiter="/"):
            names += [found["Key"] for found in page.get("Contents", ())]
            names += [found["Prefix"].rstrip("/") for found in page.get("CommonPrefixes", ())]
        return [name.removeprefix(self._prefix) for name in names]

    async def _read(self, path: str) -> bytes:
        answer = await self._call("get_object", Key=self._prefix + path)
        async with answer["Body"] as body:
            data: bytes = await body.read()
        size = answer.get("ContentLength")
        if size is None:
            size = (await self._head(path)).bytes
        if len(data) != size:
            raise TimeoutError(f"{len(data)} of {size} bytes were read")
        return data

    async def _read_range(self, path: str, start: int, length: int) -> bytes:
        span = f"bytes={start}-{start + length - 1}"
        answer = await self._call("get_object", Key=self._prefix + path, Range=span)
        async with answer["Body"] as body:
            data: bytes = await body.read()
        # A store that does not know ranges sends the whole object.
        return data if "ContentRange" in answer else data[start : start + length]

    async def _head(self, path: str) -> Entry:
        key = self._prefix + path
        try:
            answer = await self._call("head_object", Key=key)
        except Exception as error:
            # The answer to HEAD has no body and so no error code: 404 may be a missing bucket, 400 and 403 many errors.
            if code_of(error) in ("400", "403") or (code_of(error) == "404" and self._bucket not in _existing):
                await self._call("list_objects_v2", Prefix=key, MaxKeys=1)
            raise
        return Entry(path, int(answer["ContentLength"]), answer["LastModified"].timestamp())

    def _pages(self, **request: Any) -> Iterator[dict[str, Any]]:
        while True:
            # Retries one page of a long listing without repeating the others.
            page = self._retrying.call(
                lambda: self._wait(self._call("list_objects_v2", MaxKeys=PAGE, **request), 3 * _limit(0)),
                self._cannot("list"),
            )
            yield page
            if not page.get("IsTruncated"):
                return
            request["ContinuationToken"] = page["NextContinuationToken"]

    def _cannot(self, verb: str, path: str = "") -> str:
        return f"cannot {verb} s3://{self._bucket}/{self._prefix}{path}"

    def _put_parts(self, path: str, data: bytes, **condition: str) -> None:
        key, name = self._prefix + path, self._cannot("write", path)
        upload = self._wait(self._call("create_multipart_upload", Key=key), _limit(0))["UploadId"]
        place = {"Key": key, "UploadId": upload}
        try:
            parts = []
            for number, start in enumerate(range(0, len(data), PART_BYTES), 1):
                part = data[start : start + PART_BYTES]
                answer = self._retrying.call(lambda: self._send("upload_part", part, PartNumber=number, **place), name)  # noqa: B023
                parts.append({"PartNumber": number, "ETag": answer["ETag"]})
            self._wait(
                self._call("complete_multipart_upload", MultipartUpload={"Parts": parts}, **place, **condition),
                _limit(len(data)),
            )
        except BaseException:
            self._abort(place, name)
            raise

    def _abort(self, place: dict[str, Any], name: str) -> None:
        def abort() -> None:
            try:
                self._wait(self._call("abort_multipart_upload", **place), _limit(0))
            except Exception as error:
                # The upload was completed and its answer lost, or the store has dropped it.
                if code_of(error) != "NoSuchUpload":
                    raise

        # Stored parts cost money although they are invisible. An error here must not mask the original one.
        with suppress(Exception):
            Retrying(min(self._retrying.budget_s, _ABORT_S)).call(abort, name)

    def _send(self, method: str, data: bytes, **request: object) -> dict[str, Any]:
        return self._wait(self._call(method, Body=data, **request), _limit(len(data)))

    async def _call(self, method: str, **request: object) -> dict[str, Any]:
        client = _client()
        await client.set_session()
        requests = await client.get_s3(self._bucket)
        requests.meta.events.register("before-send.s3", _send_once, unique_id="synfiqa-send-once")
        requests.meta.events.register("before-call.s3.GetObject", _no_checksum_of_a_part, unique_id="synfiqa-part")
        try:
            answer: dict[str, Any] = await getattr(requests, method)(Bucket=self._bucket, **request)
        except ClientError as error:
            if code_of(error) not in ("NoSuchKey", "404"):
                raise
            raise FileNotFoundError(
                errno.ENOENT, "no such object", f"s3://{self._bucket}/{request.get('Key', '')}"
            ) from error
        _existing.add(self._bucket)
        return answer

    def _wait[T](self, work: Coroutine[Any, Any, T], limit: float | None = None) -> T:
        client = _client()
        try:
            # Connecting reads megabytes of API descriptions, which must not count as a stall of the store.
            client.connect()
        except BaseException:
            work.close()
            raise
        # The client's time-outs cover waiting for an answer, but not a store that stops reading a request.
        future = asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, limit), client.loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise


def _send_once(request: Any, **_: object) -> None:
    """Prevent the HTTP client from repeating a cut upload under the same name, which `Storage` would not know of."""
    body = request.body.getvalue() if isinstance(request.body, io.BytesIO) else request.body
    # The client repeats only what it can read twice. Uploads over TLS arrive here as such a stream already.
    if request.method == "PUT" and isinstance(body, bytes) and body:
        request.body = _stream(body)


def _no_checksum_of_a_part(params: dict[str, Any], **_: object) -> None:
    """Prevent the comparison of a part of an object with the checksum of the whole, which some servers send with it."""
    if "Range" in params["headers"]:
        params["context"].get("checksum", {}).pop("response_algorithms", None)


async def _stream(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _limit(size: int) -> float:
    return STALL_S + size / SLOWEST_BYTES_PER_S


def _client() -> s3fs.S3FileSystem:
    # Renewed credentials, another endpoint in the environment or a forked process need a new client.
    key = (os.getpid(), STALL_S, *map(os.environ.get, _ENVIRONMENT))
    client = _clients.get(key)
    if client is None:
        client = s3fs.S3FileSystem(
            use_listings_cache=False,
            skip_instance_cache=True,
            config_kwargs={
                "connect_timeout": min(STALL_S, 10.0),
                "read_timeout": STALL_S,
                "retries": {"mode": "standard", "total_max_attempts": 1},
                "max_pool_connections": 2 * _CONCURRENT,
            },
        )
        for old in list(_clients)[: max(0, len(_clients) - _KEPT + 1)]:
            _clients.pop(old, None)
        client = _clients.setdefault(key, client)
    return client
