"""From raw components to one quality label per degraded sample."""
