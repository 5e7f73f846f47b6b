"""Image files: validation, decoding, encoding, metadata; imports no torch."""
