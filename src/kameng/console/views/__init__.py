"""Views of the back office, one module for each job of the operator."""
