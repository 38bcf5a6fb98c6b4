"""Components of the client's vectors, by subject. Each table calls the real client."""
