"""What only the Elixir client's documents ask for; readers may skip it."""
