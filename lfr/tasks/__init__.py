"""What the built-in tasks mean. Pure: parameters in, meaning or a reason out."""
