"""What users would pick instead of `streamer`. Each says what it does not do; none runs in CI."""
