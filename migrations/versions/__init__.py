"""One file per step, named by its day and its subject."""
