"""Logs, redaction of secrets, metrics."""
