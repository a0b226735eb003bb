"""Quality scores of photographs."""
