"""Working a case: the safeguarding record, the letter, internal notes, second opinions, reply templates."""
