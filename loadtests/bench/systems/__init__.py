"""Playhead, and what it is compared with."""
