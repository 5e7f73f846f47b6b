"""Login, sessions and the rules on where requests may come from."""
