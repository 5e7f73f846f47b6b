"""Import discord.py without its warning about `audioop`, a module that Python 3.13 removes: warnings are errors in tests."""

import warnings

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "'audioop' is deprecated", DeprecationWarning)
    import discord

__all__ = ["discord"]
