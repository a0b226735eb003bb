"""DSL-FIQA on rendered portraits: agreement with a full-reference measure, ablations, baselines, linear probe."""
