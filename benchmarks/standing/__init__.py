"""Stand-ins for what tests of endurance cannot have, or must be able to kill: an engine that paints in no time, a chat process with
nothing around it, and a platform that remembers all that people ever saw. Everything in between is the product's own.
"""
