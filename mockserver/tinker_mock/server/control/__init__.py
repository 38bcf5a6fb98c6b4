"""The control API under `/_mock`: looking into the running mock and steering it."""
