"""Going on after the server lost a training run."""
