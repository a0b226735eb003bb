"""One module a job, each of which can be submitted, and the command line that lists them."""

import sys

if __name__ == "jobs":
    # `python -m jobs.generate` from a checkout: the folder's own name leads to the package of its modules.
    import synfiqa.jobs

    sys.modules["jobs"] = synfiqa.jobs
else:
    from synfiqa.cluster.pipeline.ray_session import prepare_environment

    # Ray reads its environment on import, so this comes before any job module can import it.
    prepare_environment()
