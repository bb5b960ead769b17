"""Users who are in Postgres only: they left Redis when they were idle, and come back before their next event."""
