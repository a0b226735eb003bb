"""The search for the accepted identity that a candidate resembles most, exact at every speed."""
