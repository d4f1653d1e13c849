"""Faults: signals, deaths, links, special files, damage. Every model is complete or untouched."""
