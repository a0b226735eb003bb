"""Our job system and two public peers on the same stub work: cosmos-xenna and plain Ray Data."""
