"""Training a model: operations in order, large batches in chunks."""
