"""Why work is waiting, and who wants to know."""
