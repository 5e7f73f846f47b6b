"""Model files: finding, inspecting, describing; imports no torch."""
