"""Operators on numpy arrays."""
