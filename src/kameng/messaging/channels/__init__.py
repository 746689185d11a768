"""Ways out of the system, a folder each. A channel sends one message or raises `SendFailed`."""
