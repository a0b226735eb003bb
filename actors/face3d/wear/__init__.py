"""Parts added to the head: body, hair, hats, occluders and held objects."""
