"""Place helper calls and optional inputs: in methods, in their callers, in processors."""
