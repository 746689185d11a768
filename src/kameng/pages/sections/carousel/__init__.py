"""Several pictures that follow one another, by hand or by themselves."""
