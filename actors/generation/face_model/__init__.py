"""The 3-D face that steers the conditional generator: its parameters, its models, and the control maps drawn of it."""
