"""Quality of faces: measures, and the correlation that judges them."""
