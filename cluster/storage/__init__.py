"""Read and write whole objects on any store, with retries and classified errors."""
