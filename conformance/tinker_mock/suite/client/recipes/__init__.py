"""Programs to audit: the smallest ones that use a client for everything it is for."""
