"""What was bought here lately: real sales only, no names."""
