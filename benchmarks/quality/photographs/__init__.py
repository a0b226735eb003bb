"""Quality scorers on real photographs, which are measured on and nothing else."""
