"""Inference: pictures from requests, on one device after another.

It knows models, latents and devices. It must not know chats, persons, databases or sentences for people. Only modules that
run in the worker process import torch or diffusers; everything that the asking process needs (`request`, `engine`, `errors`,
`catalogue`, `process`) stays free of them.
"""
