"""Kitaru for agents: its executions, artifacts and memory as tools of the Model Context Protocol."""
