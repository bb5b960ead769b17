"""How watching counts for attempts: which scopes are theirs, what sessions saw in them, and what they have now."""
