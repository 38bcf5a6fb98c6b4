"""Bad days on demand: effects, the rules and plans that apply them, and their delivery."""
