"""How alike rendered people are: to each other, and to real people."""
