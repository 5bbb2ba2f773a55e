"""What tables.py and plots.py share: runs read, figures over seeds, blocks of methods, and their writing."""
