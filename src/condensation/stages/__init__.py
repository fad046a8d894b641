"""The stages of dvc.yaml: each reads files, calls one function and writes files."""
