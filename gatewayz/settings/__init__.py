"""Django settings: main.py is the module to name; test.py is the same for the suite."""
