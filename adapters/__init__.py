"""Adapters: one package for each platform on which users talk to Easel, and the command line.

They know platforms, terminals and files, turn what arrives into values of the bot and of inference, and turn replies back.
They must not decide what is allowed or how images are generated, nor import the libraries that generate them.
"""
