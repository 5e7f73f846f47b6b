"""What several platforms use."""
