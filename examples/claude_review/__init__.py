"""A Claude Agent SDK turn that survives a crash, and a person's yes."""
