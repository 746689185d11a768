"""Template tag libraries that every face loads."""
