"""The leaderboard as Markdown and as one HTML page."""
