"""S3 servers for the tests, and a proxy that injects faults."""
