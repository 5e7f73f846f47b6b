"""Values, limits and pure rules that everything else in the bot is built on."""
