"""Stand-ins for endurance tests and benchmarks: an engine that takes no time, a bare chat process, and a platform.

They replace parts that such tests cannot have or must be able to kill. The platform remembers everything that users ever saw. All other
parts are the product's own.
"""
