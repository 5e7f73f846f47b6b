"""Prompt templates and the files that carry them."""
