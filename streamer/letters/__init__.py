"""Dead letters as they lie in their topic: what they say, what became of them, which to replay. Pure."""
