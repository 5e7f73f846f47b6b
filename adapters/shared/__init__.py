"""Code shared by several platforms."""
