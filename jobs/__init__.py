"""What is submitted: one module a job, and the command line over them."""

import sys

if __name__ == "jobs":
    # `python -m jobs.generate` from a checkout: the folder's own name leads to the package of its modules.
    import synfiqa.jobs

    sys.modules["jobs"] = synfiqa.jobs
else:
    from synfiqa.cluster.pipeline.ray_session import prepare_environment

    # Ray reads its environment on import, so this comes before any job module can import it.
    prepare_environment()
