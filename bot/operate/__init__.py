"""Setting Earshot up and running it on one machine."""
