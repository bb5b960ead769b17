"""Alembic's environment and the revisions. Part of the wheel: `service.db.migrate` runs them from code."""
