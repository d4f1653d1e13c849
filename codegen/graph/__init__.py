"""Which models and classes are made of which, and how much of them."""
