"""Kitaru."""
