"""What Segment says: calls, and how a decoded value becomes one. Knows nothing of Planhat."""
