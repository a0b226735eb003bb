"""The run config, one module a section."""
