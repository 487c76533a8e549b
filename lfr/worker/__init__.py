"""How a Python process takes events from the stream and answers them."""
