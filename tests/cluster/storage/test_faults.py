"""Classification of the errors of stores."""

import errno
import re
import ssl

import aiohttp
import pytest
from botocore import exceptions as boto
from fsspec.exceptions import FSTimeoutError
from s3fs.errors import translate_boto_error

from synfiqa.cluster.storage.faults import code_of, fault_of


def answer(code, status=400, message="", translated=False):
    error = boto.ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}, "GetObject"
    )
    return translate_boto_error(error) if translated else error


TRANSIENT = [("SlowDown", 503), ("ServiceUnavailable", 503), ("Throttling", 400), ("ThrottlingException", 400)]
TRANSIENT += [("RequestLimitExceeded", 503), ("TooManyRequests", 429), ("RequestTimeout", 400), ("InternalError", 500)]
TRANSIENT += [("500", 500), ("502", 502), ("503", 503), ("504", 504), ("429", 429), ("SlowDownWrite", 503)]
TRANSIENT += [("BadDigest", 400), ("IncompleteBody", 400), ("ConditionalRequestConflict", 409), ("Whatever", 503)]
FINAL = [("AccessDenied", 403, "access is denied"), ("403", 403, "access is denied"), ("Unheard", 403, "denied")]
FINAL += [("InvalidAccessKeyId", 403, "access key does not exist"), ("SignatureDoesNotMatch", 403, "secret key")]
FINAL += [("ExpiredToken", 400, "credentials have expired"), ("InvalidToken", 400, "token is not valid")]
FINAL += [("NoSuchBucket", 404, "bucket does not exist"), ("RequestTimeTooSkewed", 403, "clock is wrong")]
FINAL += [("PermanentRedirect", 301, "another region"), ("QuotaExceeded", 403, "store is full")]
FINAL += [("XMinioStorageFull", 507, "store is full"), ("InvalidArgument", 400, "refuses the request .InvalidArgument")]
FINAL += [("NotImplemented", 501, "refuses the request")]


@pytest.mark.parametrize("translated", [False, True], ids=["as botocore says it", "as s3fs says it"])
@pytest.mark.parametrize(("code", "status"), TRANSIENT)
def test_transient_answers(code, status, translated):
    assert fault_of(answer(code, status, translated=translated)).transient


@pytest.mark.parametrize("translated", [False, True], ids=["as botocore says it", "as s3fs says it"])
@pytest.mark.parametrize(("code", "status", "words"), FINAL)
def test_permanent_answers(code, status, words, translated):
    fault = fault_of(answer(code, status, translated=translated))
    assert not fault.transient
    assert re.search(words, fault.what)
    assert fault.remedy


@pytest.mark.parametrize("code", ["NoSuchKey", "404", "PreconditionFailed", "412"])
def test_answers_about_the_object_are_no_faults(code):
    assert fault_of(answer(code, int(code) if code.isdigit() else {"NoSuchKey": 404}.get(code, 412))) is None


def test_a_missing_bucket_is_a_fault_although_the_client_raises_file_not_found():
    error = answer("NoSuchBucket", 404, translated=True)
    assert isinstance(error, FileNotFoundError)
    assert "bucket" in fault_of(error).what
    assert fault_of(answer("NoSuchKey", 404, translated=True)) is None


@pytest.mark.parametrize("message", ["Please reduce your request rate.", "Rate exceeded", "Request was throttled."])
def test_denied_access_does_not_hide_throttling(message):
    """Some stores throttle with 403, and the Python class that the client makes of it is PermissionError."""
    assert fault_of(answer("403", 403, message)).transient
    denied = PermissionError("Access Denied")
    denied.__cause__ = answer("SlowDown", 503)
    assert fault_of(denied).transient


URL = {"endpoint_url": "http://h", "error": "x"}
CLASSES = [
    (ConnectionResetError(), True),
    (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), True),
    (BrokenPipeError(), True),
    (TimeoutError(), True),
    (FSTimeoutError(), True),
    (boto.EndpointConnectionError(**URL), True),
    (boto.ConnectTimeoutError(**URL), True),
    (boto.ReadTimeoutError(**URL), True),
    (boto.ConnectionClosedError(**URL), True),
    (boto.ResponseStreamingError(error="x"), True),
    (boto.IncompleteReadError(actual_bytes=1, expected_bytes=2), True),
    (boto.MetadataRetrievalError(error_msg="x"), True),
    (aiohttp.ClientPayloadError("short"), True),
    (aiohttp.ServerDisconnectedError(), True),
    (boto.NoCredentialsError(), False),
    (boto.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"), False),
    (boto.UnauthorizedSSOTokenError(), False),
    (boto.NoRegionError(), False),
    (boto.ParamValidationError(report="bad name"), False),
    (boto.ProfileNotFound(profile="none"), False),
    (ssl.SSLCertVerificationError(1, "certificate verify failed"), False),
    (boto.SSLError(endpoint_url="h", error="[SSL: CERTIFICATE_VERIFY_FAILED] self-signed"), False),
]


@pytest.mark.parametrize(("error", "transient"), CLASSES, ids=lambda value: type(value).__name__)
def test_errors_without_an_answer(error, transient):
    fault = fault_of(error)
    assert fault.transient is transient
    assert fault.what
    assert "\n" not in fault.what


@pytest.mark.parametrize(
    ("number", "transient"),
    [(getattr(errno, name), True) for name in ("EAGAIN", "EINTR", "ESTALE", "EIO", "ETIMEDOUT", "ENETUNREACH")]
    + [(getattr(errno, name), False) for name in ("ENOSPC", "EDQUOT", "EROFS", "EACCES", "EPERM", "ENOTDIR", "ELOOP")],
    ids=lambda value: errno.errorcode[value] if not isinstance(value, bool) else "",
)
def test_errors_of_disks(number, transient):
    assert fault_of(OSError(number, "x", "/secret/path")).transient is transient
    assert "/secret/path" not in fault_of(OSError(number, "x", "/secret/path")).what


class HttpError(Exception):
    """Error with the HTTP status as in the clients of Google's and Azure's stores."""

    def __init__(self, status):
        super().__init__("refused")
        self.status_code = status


@pytest.mark.parametrize(("status", "transient"), [(429, True), (503, True), (401, False), (403, False), (400, False)])
def test_errors_of_other_clients(status, transient):
    assert fault_of(HttpError(status)).transient is transient
    assert fault_of(HttpError(404)) is None


def test_a_short_body_is_transient_although_the_client_calls_it_a_bad_request():
    """aiohttp's error for a body that ends early has a cause whose `code` is 400, which no server has sent."""
    error = aiohttp.ClientPayloadError("Response payload is not completed")
    error.__cause__ = aiohttp.http_exceptions.ContentLengthError("Not enough data")
    assert error.__cause__.code == 400
    assert fault_of(error).transient


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), FileNotFoundError(), FileExistsError()])
def test_errors_that_come_from_no_store(error):
    assert fault_of(error) is None


def test_the_code_is_found_in_the_cause_of_the_clients_own_errors():
    assert code_of(answer("PreconditionFailed", 412, translated=True)) == "PreconditionFailed"
    assert code_of(ValueError("x")) == ""
