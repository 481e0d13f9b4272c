"""What runs, stores, checks and records the notebooks; called as `python -m tools.NAME`."""
