"""Risk: what a message says about the safety of a child. Pure; imports neither Rasa nor the store."""
