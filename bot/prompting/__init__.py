"""The prompt grammar."""
