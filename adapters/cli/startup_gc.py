"""The collector of garbage, kept still while the program is loaded: it would look through all that was imported, again and again,
for a tenth of a start, and find nothing. Whoever imports this first says `over` after the last import.
"""

import gc

gc.disable()


def over() -> None:
    """Let it collect what comes from now on; what is there stays."""
    gc.freeze()
    gc.enable()
