"""Machines that hold the house: rules, documents, SQL and messages, each run as a module."""
