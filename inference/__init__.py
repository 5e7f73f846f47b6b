"""Inference: generates images for requests, with one worker process per device.

It knows models, latents and devices. It must not know chats, users, databases or texts for users. Only `worker` imports torch or
diffusers. Everything that the calling process needs (`contract`, `models`, `images`, `supervisor`) stays free of them.
"""
