"""The judge: checks, runner, targets, reports. Reaches a server only over HTTP."""
