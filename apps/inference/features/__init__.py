"""What the gateway offers beyond passing requests on, each in a module of its own."""
