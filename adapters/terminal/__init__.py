"""The terminal as a place to paint: `inbound` turns what was typed into a request, `outbound` shows what comes of it."""
