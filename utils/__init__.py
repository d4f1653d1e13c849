"""Runtime helpers that generated modeling code imports: pure functions of tensors, no weights."""
