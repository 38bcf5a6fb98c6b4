"""Work that the server does later: asking for it until it is there."""
