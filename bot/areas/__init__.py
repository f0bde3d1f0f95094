"""Where somebody lives: from a postcode or a place name to the body that runs children's services there.

``postcode`` reads what was typed, ``table`` finds it in the packed list of the UK's postcodes,
``authorities`` knows who runs children's services where, ``names`` finds places by name, and ``finder``
answers with all of them. ``build`` makes the table at set-up. Everything works offline; nothing a person
typed is kept.
"""
