"""What the performance claims are measured with: ratios side by side in one run, never a timed test."""
