"""Jobs on their way: whose is next, painting it, telling how far it is."""
