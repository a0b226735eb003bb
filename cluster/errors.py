"""The two ways a job ends badly; each message is one sentence with the way out."""


class UserError(Exception):
    """The request cannot be carried out as written (exit code 2): bad config, wrong folder, changed recipe."""

    exit_code = 2


class JobFailed(Exception):
    """The request was fine but the work failed (exit code 1): dead shards, no accepted identity, missing input."""

    exit_code = 1
