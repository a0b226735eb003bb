"""What an error of a store means: trying again may help, it never will, or it is no fault of the store at all."""

import errno
import os
from collections.abc import Iterator
from typing import Any, NamedTuple


class Fault(NamedTuple):
    """An error of a store in words: what happened, and what a person does about it."""

    transient: bool
    what: str
    remedy: str
    error: BaseException


_AGAIN = "run the same command again when the store is back"

_CREDENTIALS = (
    "check the credentials in the environment (AWS_ACCESS_KEY_ID and the like) and run the same command again"
)
_DENIED = (
    "access is denied",
    "let these credentials read, write, list and delete in the run folder, or choose another folder with --run",
)
_EXPIRED = ("the credentials have expired", "renew them and run the same command again")
_BUCKET = ("the bucket does not exist", "create it, or correct the name of the bucket in --run")
_REGION = ("the bucket is in another region", "set AWS_DEFAULT_REGION to it and run the same command again")
_FULL = ("the store is full", "make room or raise the quota, and run the same command again")
_CERTIFICATE = (
    "the store's certificate is not trusted",
    "name the right authority with AWS_CA_BUNDLE, or correct the endpoint",
)
_READ_ONLY = ("the disk is read-only", "choose another folder with --run")

_FINAL_CODES = {
    "AccessDenied": _DENIED,
    "AllAccessDisabled": _DENIED,
    "AccountProblem": _DENIED,
    "403": _DENIED,
    "InvalidAccessKeyId": ("the store does not know the access key", _CREDENTIALS),
    "SignatureDoesNotMatch": ("the secret key is not the one of the access key", _CREDENTIALS),
    "InvalidToken": ("the session token is not valid", _CREDENTIALS),
    "InvalidSecurity": ("the credentials are not valid", _CREDENTIALS),
    "401": ("the credentials are not valid", _CREDENTIALS),
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "RequestExpired": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "RequestTimeTooSkewed": ("this machine's clock is wrong", "set it and run the same command again"),
    "NoSuchBucket": _BUCKET,
    "InvalidBucketName": ("the name of the bucket is not valid", "correct it in --run"),
    "PermanentRedirect": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "301": _REGION,
    "QuotaExceeded": _FULL,
    "XMinioStorageFull": _FULL,
    "XMinioAdminBucketQuotaExceeded": _FULL,
    "507": _FULL,
}
_TRANSIENT_CODES = {
    "SlowDown",
    "SlowDownRead",
    "SlowDownWrite",
    "ServiceUnavailable",
    "Throttling",
    "ThrottlingException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "TooManyRequests",
    "TooManyRequestsException",
    "BandwidthLimitExceeded",
    "RequestTimeout",
    "RequestTimeoutException",
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "OperationAborted",
    "ConditionalRequestConflict",
    "NoSuchUpload",
    # the body was damaged on its way
    "BadDigest",
    "IncompleteBody",
    "XAmzContentSHA256Mismatch",
    "XAmzContentChecksumMismatch",
}
_THROTTLED_WORDS = ("reduce your request rate", "slow down", "throttl", "rate exceeded")
_FINAL_STATUS = (501, 505, 507)

_FINAL_CLASSES = {
    "NoCredentialsError": ("there are no credentials", _CREDENTIALS),
    "PartialCredentialsError": ("a part of the credentials is missing", _CREDENTIALS),
    "UnauthorizedSSOTokenError": _EXPIRED,
    "TokenRetrievalError": _EXPIRED,
    "SSOTokenLoadError": _EXPIRED,
    "LoginRefreshRequired": _EXPIRED,
    "NoRegionError": ("no region is set", "set AWS_DEFAULT_REGION and run the same command again"),
    "InvalidRegionError": ("the region is not valid", "correct AWS_DEFAULT_REGION and run the same command again"),
    "ParamValidationError": ("the name of the bucket or object is not valid", "correct it in --run"),
    "SSLCertVerificationError": _CERTIFICATE,
    "ClientConnectorCertificateError": _CERTIFICATE,
}
_TRANSIENT_CLASSES = {
    "TimeoutError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "FSTimeoutError",
    "ConnectionError",
    "EndpointConnectionError",
    "HTTPClientError",
    "ResponseStreamingError",
    "IncompleteReadError",
    "IncompleteRead",
    "FlexibleChecksumError",
    "ResponseParserError",
    "ClientPayloadError",
    "ClientConnectionError",
    "ClientOSError",
    "EOFError",
    # the credentials come from a service that is out of reach; wrong ones are named by the store itself
    "CredentialRetrievalError",
    "MetadataRetrievalError",
}

_FINAL_ERRNO = {
    errno.ENOSPC: ("the disk is full", "make room and run the same command again"),
    errno.EDQUOT: ("the disk quota is used up", "make room or raise the quota, and run the same command again"),
    errno.EROFS: _READ_ONLY,
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.ENOTDIR: ("a file stands where a folder should be", "remove it, or choose another folder with --run"),
    errno.EISDIR: ("a folder stands where a file should be", "remove it, or choose another folder with --run"),
    errno.ENAMETOOLONG: ("the name is too long", "choose a shorter one with --run"),
    errno.EFBIG: ("the file is too large for this disk", "choose another folder with --run"),
}
_TRANSIENT_ERRNO = {
    errno.EAGAIN,
    errno.EINTR,
    errno.EBUSY,
    errno.ESTALE,
    # network file systems answer so while their server restarts
    errno.EIO,
    errno.EREMOTEIO,
    errno.ETIMEDOUT,
    errno.ECONNRESET,
    errno.ECONNREFUSED,
    errno.ECONNABORTED,
    errno.EPIPE,
    errno.ENOTCONN,
    errno.ESHUTDOWN,
    errno.ENETDOWN,
    errno.ENETUNREACH,
    errno.ENETRESET,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOBUFS,
    errno.ENOMEM,
}


def fault_of(error: BaseException) -> Fault | None:
    """Return what the error means, or None when no store made it or when it only says that an object is missing.

    The answer of the server decides before the Python class does: client libraries turn throttling into
    PermissionError or OSError and a missing bucket into FileNotFoundError, and keep the answer as the cause.
    """
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
        return Fault(False, f"the request failed ({_text(error)})", _CREDENTIALS, error)
    return None


def code_of(error: BaseException) -> str:
    """Return the error code that the server answered with, such as NoSuchKey or 412; empty when it did not answer."""
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
        said = response.get("Error", {})
        status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
        return str(said.get("Code") or status), status, str(said.get("Message") or "")
    return None


def _status(error: BaseException) -> tuple[str, int, str] | None:
    # How the clients of other stores keep the number of the answer.
    for name in ("status_code", "status", "code"):
        number = str(getattr(error, name, ""))
        if number.isdecimal() and 100 <= int(number) < 600:
            return number, int(number), str(error)
    return None


def _of_answer(error: BaseException, code: str, status: int, message: str) -> Fault | None:
    if not status and code.isdecimal():
        status = int(code)
    throttled = any(words in message.lower() for words in _THROTTLED_WORDS)
    if code in _TRANSIENT_CODES or throttled:
        return Fault(True, f"the store answers {code}", _AGAIN, error)
    if code in _FINAL_CODES:
        what, remedy = _FINAL_CODES[code]
        return Fault(False, f"{what} ({code})", remedy, error)
    if isinstance(error, FileNotFoundError | FileExistsError) or status in (404, 412):
        return None
    if status in (408, 425, 429) or (status >= 500 and status not in _FINAL_STATUS):
        return Fault(True, f"the store answers {code}", _AGAIN, error)
    if status in (401, 403):
        return Fault(False, f"{_DENIED[0]} ({code})", _DENIED[1], error)
    said = f"{code}: {message}" if message and message != code else code
    return Fault(False, f"the store refuses the request ({_line(said)})", _CREDENTIALS, error)


def _of_class(error: BaseException, link: BaseException) -> Fault | None:
    names = [kind.__name__ for kind in type(link).__mro__]
    for name in names:
        if name in _FINAL_CLASSES:
            what, remedy = _FINAL_CLASSES[name]
            return Fault(False, what, remedy, error)
    if any(name in _TRANSIENT_CLASSES for name in names) and "CERTIFICATE_VERIFY_FAILED" not in str(link):
        return Fault(True, f"the store cannot be reached ({_text(link)})", _AGAIN, error)
    if "CERTIFICATE_VERIFY_FAILED" in str(link):
        return Fault(False, *_FINAL_CLASSES["SSLCertVerificationError"], error)
    return None


def _of_errno(error: OSError) -> Fault:
    if error.errno in _FINAL_ERRNO:
        what, remedy = _FINAL_ERRNO[error.errno]
        return Fault(False, what, remedy, error)
    if isinstance(error, PermissionError):
        return Fault(False, f"{_DENIED[0]} ({_text(error)})", _DENIED[1], error)
    if error.errno in _TRANSIENT_ERRNO:
        return Fault(True, f"the store fails ({_text(error)})", _AGAIN, error)
    return Fault(False, f"the store refuses the request ({_text(error)})", "choose another folder with --run", error)


def _text(error: BaseException) -> str:
    # An OSError's own text repeats the path, which the sentence names already, and may hold a whole URL.
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    if isinstance(error, TimeoutError) and not str(error):
        return "no answer in time"
    return _line(str(error)) or type(error).__name__


def _line(text: str) -> str:
    return text.splitlines()[0][:200] if text else ""
