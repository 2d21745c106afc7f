"""EDGE: httpx. Requests and replies of Planhat as pure tables, and the client that sends them."""
