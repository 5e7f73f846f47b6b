"""What an image request consists of, and how parameters become a complete request."""
