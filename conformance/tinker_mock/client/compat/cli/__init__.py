"""`tinker.cli`: this client's commands by the SDK's name."""
