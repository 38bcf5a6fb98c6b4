"""Looking at a client while it works: numbers and spans."""
