"""What a good picture is, and the gradient that leads there: whole, tile by tile."""
