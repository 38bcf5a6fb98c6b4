"""What a client's traffic is held to."""
