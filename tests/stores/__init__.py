"""S3 servers for the tests, and a proxy that breaks what passes through it."""
