"""Review: two states of a tree, compared member by member, folded into the edits that explain them."""
