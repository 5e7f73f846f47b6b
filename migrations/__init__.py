"""How the tables came to be, step by step (Alembic).

`bot.store.schema` walks the steps; `python -m migrations SUBJECT` writes a new one.
"""
