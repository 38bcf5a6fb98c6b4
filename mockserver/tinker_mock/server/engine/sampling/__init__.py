"""Drawing tokens from the model."""
