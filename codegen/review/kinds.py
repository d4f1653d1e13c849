"""The kinds of risk, each with what it means."""

RISKS = {
    "state-dict": "keys of the state dict come, go, change their name or their size",
    "dead-weight": "a weight is assigned that nobody reads",
    "undefined": "a name or an attribute is read that nothing defines",
    "lost-override": "something overrides, or assigns anew, what the parent no longer has, or gives way to an import",
    "lost-deletion": "a deletion marker or `del` meets nothing in the parent",
    "signature": "a call that worked no longer does, or means something else",
    "public-name": "a class, a function or an entry of `__all__` is gone",
    "config": "a field of a configuration is gone, or has another default",
    "base": "a class has other bases",
    "decorator": "a class or method has other decorators",
    "helper": "an import of the runtime helpers came or went",
    "numerics": "operators that decide about numbers came or went, not only moved",
}
