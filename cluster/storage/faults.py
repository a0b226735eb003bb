"""Classifies errors of a store as transient, permanent, or not errors of the store."""

import os
from collections.abc import Iterator
from typing import Any, NamedTuple

from synfiqa.cluster.storage.fault_codes import (
    CREDENTIALS,
    DENIED,
    FINAL_CLASSES,
    FINAL_CODES,
    FINAL_ERRNO,
    FINAL_STATUS,
    THROTTLED_WORDS,
    TRANSIENT_CLASSES,
    TRANSIENT_CODES,
    TRANSIENT_ERRNO,
)


class Fault(NamedTuple):
    """Error of a store: transient or permanent, what happened, and the remedy."""

    transient: bool
    what: str
    remedy: str
    error: BaseException


_AGAIN = "run the same command again when the store is back"


def fault_of(error: BaseException) -> Fault | None:
    """Return the fault of an error, or None for a missing or existing object and for errors of no store."""
    # The server's answer takes precedence over the Python class: client libraries turn throttling into PermissionError
    # or OSError and a missing bucket into FileNotFoundError, and keep the answer as the cause.
    chain = list(_chain(error))
    for link in chain:
        if (answer := _answer(link)) is not None:
            return _of_answer(error, *answer)
        if (fault := _of_class(error, link)) is not None:
            return fault
    for link in chain:
        if (answer := _status(link)) is not None:
            return _of_answer(error, *answer)
    if isinstance(error, OSError):
        return None if isinstance(error, FileNotFoundError | FileExistsError) else _of_errno(error)
    if any(link.__class__.__module__.partition(".")[0] in ("botocore", "aiobotocore", "aiohttp") for link in chain):
        return Fault(False, f"the request failed ({_text(error)})", CREDENTIALS, error)
    return None


def code_of(error: BaseException) -> str:
    """Return the error code in the server's answer, such as NoSuchKey or 412; empty without an answer."""
    for link in _chain(error):
        if (answer := _answer(link)) is not None:
            return answer[0]
    return ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    for _ in range(8):
        if link is None:
            return
        yield link
        link = link.__cause__


def _answer(error: BaseException) -> tuple[str, int, str] | None:
    response: Any = getattr(error, "response", None)
    if isinstance(response, dict):
        fields = response.get("Error", {})
        status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
        return str(fields.get("Code") or status), status, str(fields.get("Message") or "")
    return None


def _status(error: BaseException) -> tuple[str, int, str] | None:
    # Attributes in which clients of other stores keep the HTTP status.
    for name in ("status_code", "status", "code"):
        number = str(getattr(error, name, ""))
        if number.isdecimal() and 100 <= int(number) < 600:
            return number, int(number), str(error)
    return None


def _of_answer(error: BaseException, code: str, status: int, message: str) -> Fault | None:
    if not status and code.isdecimal():
        status = int(code)
    throttled = any(words in message.lower() for words in THROTTLED_WORDS)
    if code in TRANSIENT_CODES or throttled:
        return Fault(True, f"the store answers {code}", _AGAIN, error)
    if code in FINAL_CODES:
        what, remedy = FINAL_CODES[code]
        return Fault(False, f"{what} ({code})", remedy, error)
    if isinstance(error, FileNotFoundError | FileExistsError) or status in (404, 412):
        return None
    if status in (408, 425, 429) or (status >= 500 and status not in FINAL_STATUS):
        return Fault(True, f"the store answers {code}", _AGAIN, error)
    if status in (401, 403):
        return Fault(False, f"{DENIED[0]} ({code})", DENIED[1], error)
    text = f"{code}: {message}" if message and message != code else code
    return Fault(False, f"the store refuses the request ({_line(text)})", CREDENTIALS, error)


def _of_class(error: BaseException, link: BaseException) -> Fault | None:
    names = [kind.__name__ for kind in type(link).__mro__]
    for name in names:
        if name in FINAL_CLASSES:
            what, remedy = FINAL_CLASSES[name]
            return Fault(False, what, remedy, error)
    if any(name in TRANSIENT_CLASSES for name in names) and "CERTIFICATE_VERIFY_FAILED" not in str(link):
        return Fault(True, f"the store cannot be reached ({_text(link)})", _AGAIN, error)
    if "CERTIFICATE_VERIFY_FAILED" in str(link):
        return Fault(False, *FINAL_CLASSES["SSLCertVerificationError"], error)
    return None


def _of_errno(error: OSError) -> Fault:
    if error.errno in FINAL_ERRNO:
        what, remedy = FINAL_ERRNO[error.errno]
        return Fault(False, what, remedy, error)
    if isinstance(error, PermissionError):
        return Fault(False, f"{DENIED[0]} ({_text(error)})", DENIED[1], error)
    if error.errno in TRANSIENT_ERRNO:
        return Fault(True, f"the store fails ({_text(error)})", _AGAIN, error)
    return Fault(False, f"the store refuses the request ({_text(error)})", "choose another folder with --run", error)


def _text(error: BaseException) -> str:
    # The text of an OSError repeats the path, which the message contains already, and may hold a whole URL.
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    if isinstance(error, TimeoutError) and not str(error):
        return "no answer in time"
    return _line(str(error)) or type(error).__name__


def _line(text: str) -> str:
    return text.splitlines()[0][:200] if text else ""
