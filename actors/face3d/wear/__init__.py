"""What a head wears or holds: body, hair, hats, occluders."""
