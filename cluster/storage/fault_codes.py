"""Error codes, error classes and errno values of stores, each permanent (with a remedy) or transient."""

import errno

CREDENTIALS = "check the credentials in the environment (AWS_ACCESS_KEY_ID and the like) and run the same command again"
DENIED = (
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

FINAL_CODES = {
    "AccessDenied": DENIED,
    "AllAccessDisabled": DENIED,
    "AccountProblem": DENIED,
    "403": DENIED,
    "InvalidAccessKeyId": ("the access key does not exist", CREDENTIALS),
    "SignatureDoesNotMatch": ("the secret key does not match the access key", CREDENTIALS),
    "InvalidToken": ("the session token is not valid", CREDENTIALS),
    "InvalidSecurity": ("the credentials are not valid", CREDENTIALS),
    "401": ("the credentials are not valid", CREDENTIALS),
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
"""Permanent error codes and HTTP statuses of S3 servers: what happened, remedy."""

TRANSIENT_CODES = {
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
    # the body was damaged in transit
    "BadDigest",
    "IncompleteBody",
    "XAmzContentSHA256Mismatch",
    "XAmzContentChecksumMismatch",
}
"""Error codes of S3 servers after which a retry may succeed."""

THROTTLED_WORDS = ("reduce your request rate", "slow down", "throttl", "rate exceeded")
"""Parts of messages, in lower case, of stores that throttle with another code."""

FINAL_STATUS = (501, 505, 507)
"""HTTP statuses from 500 on after which a retry is useless."""


FINAL_CLASSES = {
    "NoCredentialsError": ("there are no credentials", CREDENTIALS),
    "PartialCredentialsError": ("a part of the credentials is missing", CREDENTIALS),
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
"""Permanent error classes of the client libraries: what happened, remedy."""

TRANSIENT_CLASSES = {
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
    # the service that issues the credentials cannot be reached; the store itself rejects wrong ones
    "CredentialRetrievalError",
    "MetadataRetrievalError",
}
"""Error classes of the client libraries after which a retry may succeed."""


FINAL_ERRNO = {
    errno.ENOSPC: ("the disk is full", "make room and run the same command again"),
    errno.EDQUOT: ("the disk quota is used up", "make room or raise the quota, and run the same command again"),
    errno.EROFS: _READ_ONLY,
    errno.EACCES: DENIED,
    errno.EPERM: DENIED,
    errno.ENOTDIR: ("a file stands where a folder should be", "remove it, or choose another folder with --run"),
    errno.EISDIR: ("a folder stands where a file should be", "remove it, or choose another folder with --run"),
    errno.ENAMETOOLONG: ("the name is too long", "choose a shorter one with --run"),
    errno.EFBIG: ("the file is too large for this disk", "choose another folder with --run"),
}
"""Permanent errors of disks: what happened, remedy."""

TRANSIENT_ERRNO = {
    errno.EAGAIN,
    errno.EINTR,
    errno.EBUSY,
    errno.ESTALE,
    # returned by network file systems while their server restarts
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
"""Errors of disks and network file systems after which a retry may succeed."""
