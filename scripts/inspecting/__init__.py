"""What inspect_run.py consists of: numbers about a run, figures of them, and the page that shows both."""
