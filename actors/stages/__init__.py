"""The stages of the pipeline: identity half, sample half, registry, filter rules."""
