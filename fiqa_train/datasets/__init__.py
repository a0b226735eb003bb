"""Access to datasets: runs of this project, opened from their folder or URL."""
