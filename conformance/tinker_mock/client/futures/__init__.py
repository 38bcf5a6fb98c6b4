"""Work that the server does later: its order, polling for it, trying again, large batches."""
