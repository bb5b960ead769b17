"""What the numbers mean, decided without I/O. The Lua in `lua/` does what is said here, bit for bit."""
