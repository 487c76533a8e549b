"""Archives workflows as JSON documents and restores them."""
