"""Words, colours and progress for people, JSON for tools; nothing is decided here."""
