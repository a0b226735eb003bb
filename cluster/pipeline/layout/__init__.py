"""How the stages of a half are laid out as pools of workers, and how these follow a cluster that changes."""
