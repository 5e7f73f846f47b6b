"""Users, accounts, channels, settings, tokens, privacy."""
