"""Reports, each derived from one results document and nothing else."""
