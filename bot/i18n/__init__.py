"""Sentences for users in every language."""
