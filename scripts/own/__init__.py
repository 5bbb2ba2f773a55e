"""What fit.py and predict.py share: pictures and classes of the user's own."""
