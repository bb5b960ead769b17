"""Sessions of players: opened and closed, what they played, and where they sought past the limit."""
