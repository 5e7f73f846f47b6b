"""Stored pictures, their files and the search over them."""
