"""Best shots of the persons in videos."""
