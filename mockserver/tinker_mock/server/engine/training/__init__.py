"""Gradients of losses, and the optimizer that applies them."""
