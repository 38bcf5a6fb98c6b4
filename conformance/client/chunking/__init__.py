"""Large batches: split into requests, put together again."""
