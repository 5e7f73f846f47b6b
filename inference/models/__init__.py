"""Model files: discovery, inspection and description; imports no torch."""
