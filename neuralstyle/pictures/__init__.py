"""Picture files and arrays: read, resized, coloured, written."""
