"""What is submitted: one module a job, and the command line over them."""
