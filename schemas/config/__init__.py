"""The run config, in one module for each group of sections."""
