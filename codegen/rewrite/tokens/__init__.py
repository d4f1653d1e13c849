"""The pass ``expand_tokens``: one shared helper for the placeholders that processors replace in texts."""
