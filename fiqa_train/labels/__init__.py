"""Quality labels: raw components of degraded samples fused to one label each."""
