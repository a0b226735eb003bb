"""The ways a job ends badly; each message is one sentence with the way out, each class has its exit code."""


class UserError(Exception):
    """The request cannot be carried out as written (exit code 2): bad config, wrong folder, changed recipe."""

    exit_code = 2


class JobFailed(Exception):
    """The request was fine but the work failed (exit code 1): no accepted identity, missing input, damaged data."""

    exit_code = 1


class TooManyDead(JobFailed):
    """More rows are dead than `resilience.max_dead_rate` allows (exit code 3); what is committed stays."""

    exit_code = 3


class RunHeld(JobFailed):
    """Another driver holds the run, or has taken it over from this one (exit code 4)."""

    exit_code = 4


class StorageRefused(UserError):
    """The store refuses for good (exit code 2): access denied, missing bucket, expired credentials, full disk."""


class StorageUnavailable(JobFailed):
    """The store failed transiently for longer than the retry budget (exit code 1): run the same command again."""
