"""What notebooks read because it takes too long to run: `python -m records.NAME`."""
