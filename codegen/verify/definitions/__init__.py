"""Compare definitions, as Python understands them, with what is generated from them."""
