"""What the back office reads from a form: bounds and kinds; meaning is checked by the services."""
