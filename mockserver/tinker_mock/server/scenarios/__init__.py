"""Named scenarios (YAML with a page each) and the loader that refuses a wrong one by line."""
