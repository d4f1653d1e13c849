"""From drafts to files: layout through the templates, formatting."""
