"""The stages of the pipeline and the model backends they hold."""
