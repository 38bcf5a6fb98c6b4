"""What the audit makes a real SDK do. Runs inside the SDK's own environment, so it imports nothing
of this project: `python -m workload` with the SDK release and this directory's parent on the path.
"""
