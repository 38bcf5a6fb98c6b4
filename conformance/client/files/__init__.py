"""Files in requests: reading them, and encoding them as multipart forms."""
