"""Commands and their parameters: declaration, binding, flags, forms, help, replies."""
