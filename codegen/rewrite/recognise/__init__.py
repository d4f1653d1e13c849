"""Recognise what a method computes: by running it on probes and comparing values."""
