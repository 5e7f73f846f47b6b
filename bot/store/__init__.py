"""What Easel remembers: persons, places, jobs and pictures, in SQLite or PostgreSQL. All SQL is in this package."""
