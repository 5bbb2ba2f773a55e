"""What fit.py, predict.py and inspect_run.py share: pictures of the user's own, complete runs."""
