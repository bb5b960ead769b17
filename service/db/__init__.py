"""Postgres, the durable truth: its schema (`tables`, `migrate`), its one writer (`ledger`)."""
