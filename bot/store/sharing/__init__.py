"""Boards and presets that groups share."""
