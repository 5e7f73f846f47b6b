"""The bot: what people may ask for, in which words, and what they are told.

It knows prompts, settings and sentences, and asks an engine for pictures. It must not know any chat platform, nor import the
libraries that paint.
"""
