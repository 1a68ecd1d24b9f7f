"""Agent frameworks on Kitaru: a turn of an agent is a checkpoint, and what it needs of people is a wait."""
