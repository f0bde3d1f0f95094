"""``earshot doctor``: says what is not right with an installation, each with its remedy.

A check is a function that takes the house and yields findings. It changes nothing, and names no person, no
address of anybody and no secret: what it prints may stand in a ticket.
"""
