"""Runtime helpers that generated modeling code imports: pure functions of torch tensors, no weights."""
