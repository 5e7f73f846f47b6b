"""Values and errors shared by the worker and its callers; imports no torch."""
