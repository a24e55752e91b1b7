"""The judge beside other rules, on the same made-up traces."""
