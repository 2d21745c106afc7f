"""One object's story: what the topic says of it, what became of that, and what Planhat has."""
