"""The worker process: the only part that imports torch and diffusers."""
