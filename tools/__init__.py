"""What makes the project's generated files. Run as `python -m tools.NAME` from the project's folder."""
