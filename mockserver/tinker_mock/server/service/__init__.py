"""What the operations do: plain Python over the state, no HTTP."""
