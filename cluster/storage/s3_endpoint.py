"""The address of an S3 server, as the environment gives it: checked before a client is made."""

import os
import re
from urllib.parse import urlsplit

from synfiqa.schemas.errors import UserError

ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
"""Variables that name the server, the first that is set wins."""

_IGNORED = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"


def check_endpoint() -> None:
    """Raise UserError, one sentence, if the variable that names the server holds no http(s) URL."""
    name = next((name for name in ENDPOINTS if os.environ.get(name)), None)
    if name is None or os.environ.get(_IGNORED, "").lower() == "true" or _is_url(os.environ[name]):
        return
    value = _without_credentials(os.environ[name])
    host = re.sub(r"^([a-z]+:/+|https?[:/]+|/+)", "", value, flags=re.IGNORECASE)
    better = f"http://{host}" if _is_url(f"http://{host}") else "http://127.0.0.1:9000"
    raise UserError(
        f"{name} is {value!r}, which is no URL of a server: set it to one that begins with http:// or https:// and "
        f"names the host in letters, digits, dots and hyphens, such as {better}"
    )


def _is_url(text: str) -> bool:
    # the judgement of the client library, which runs on a disk need not import
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
