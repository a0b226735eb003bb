"""Quality scores of photographs, and their CSV file."""
