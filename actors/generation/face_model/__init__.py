"""3-D faces that control the conditional generator: their parameters, their models, and their control maps."""
