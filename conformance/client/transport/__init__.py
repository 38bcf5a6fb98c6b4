"""One HTTP call with retries: the only place of the client that touches httpx."""
