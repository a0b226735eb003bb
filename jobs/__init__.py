"""What is submitted: one module a job, and the command line over them."""

from cluster.ray_session import prepare_environment

# Ray reads its environment on import, so this comes before any job module can import it.
prepare_environment()
