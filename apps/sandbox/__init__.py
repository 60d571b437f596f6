"""The sandbox provider: a process of its own that speaks real provider wires and misbehaves on request."""
