"""One file per migration, named after its date and its subject."""
