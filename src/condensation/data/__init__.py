"""Where images come from: embedded, downloaded, a folder or zip, arrays."""
