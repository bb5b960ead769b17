"""Who may do what: API keys, where they are kept, how fast each may go, and where playhead may listen without any."""
