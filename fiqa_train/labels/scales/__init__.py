"""The scale of a label pass: frozen ones, and the match threshold that enters it."""
