"""Persistent storage: users, channels, jobs and pictures, in SQLite or PostgreSQL. All SQL is in this package."""
