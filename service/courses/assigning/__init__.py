"""Assignments and their attempts: given, taken away, renewed, and kept level with what was watched."""
