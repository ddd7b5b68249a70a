"""What a run leaves behind, and what it needs to go on."""
