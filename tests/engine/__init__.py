"""Laws of the engine, tested by plain calls and by turns of the loop, without threads or sleeping."""
