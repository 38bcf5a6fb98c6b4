"""The model: prior, adapter, and the one distribution that both give."""
