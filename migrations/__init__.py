"""Migrations of the tables (Alembic).

`bot.store.schema` runs them; `python -m migrations SUBJECT` writes a new migration.
"""
