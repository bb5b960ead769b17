"""Bytes in, events and rejections out. Nothing here does I/O or reads a clock."""
