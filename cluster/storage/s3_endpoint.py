"""Checks what the environment says of the S3 server, its address and authorities, before a client is made."""

import os
import re
import socket
from pathlib import Path
from urllib.parse import urlsplit

from synfiqa.schemas.errors import UserError

ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
"""Environment variables of the server's URL, in order of precedence."""

CA_BUNDLE = "AWS_CA_BUNDLE"
"""Environment variable of the file, or folder, of certificate authorities."""

_IGNORED = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"


def check_endpoint() -> None:
    """Raise UserError if the environment variable of the server's URL holds no http(s) URL."""
    name = next((name for name in ENDPOINTS if os.environ.get(name)), None)
    if name is None or os.environ.get(_IGNORED, "").lower() == "true" or _is_url(os.environ[name]):
        return
    value = _without_credentials(os.environ[name])
    host = re.sub(r"^([a-z]+:/+|https?[:/]+|/+)", "", value, flags=re.IGNORECASE)
    better = f"http://{host}" if _is_url(f"http://{host}") else "http://127.0.0.1:9000"
    raise UserError(
        f"{name} is {value!r}, which is no URL of a server: set it to one that begins with http:// or https:// and "
        f"has a host of letters, digits, dots and hyphens, such as {better}"
    )


def check_ca_bundle() -> None:
    """Raise UserError if the environment variable of the certificate authorities names no file or folder.

    The client would take that for an outage and try again.
    """
    bundle = os.environ.get(CA_BUNDLE)
    if bundle and not Path(bundle).exists():
        raise UserError(
            f"{CA_BUNDLE} is {bundle}, which does not exist on {socket.gethostname()}: correct it, or unset it for a "
            "store whose certificate a public authority has signed"
        )


def _is_url(text: str) -> bool:
    # botocore's own checks, imported here because runs on a disk do not need it
    from botocore.utils import is_valid_endpoint_url, is_valid_ipv6_endpoint_url

    try:
        parts = urlsplit(text)
        _ = parts.port
        is_named = is_valid_endpoint_url(text) or is_valid_ipv6_endpoint_url(text)
    except ValueError:  # half an IPv6 address, or a port that is no number
        return False
    return parts.scheme in ("http", "https") and bool(is_named)


def _without_credentials(url: str) -> str:
    scheme, mark, rest = url.rpartition("://")
    return scheme + mark + rest.rpartition("@")[2]
