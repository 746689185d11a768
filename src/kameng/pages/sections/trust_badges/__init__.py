"""Why one can buy here: promises in a row."""
