"""Values and rules that every room shares; imports nothing else of this package."""
