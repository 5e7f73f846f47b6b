"""Adapters: the outside world, one folder for each place where people talk to Easel, and the commands of the terminal.

They know platforms, terminals and files, and turn what arrives there into values of the bot and of inference, and answers back.
They must not decide what is allowed or painted, nor import the libraries that paint.
"""
