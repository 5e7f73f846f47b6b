"""Scripts for people who work on Easel; none of them ships."""
