"""Pages for people without an account: what a share link leads to, and errors. No HTTP and no SQL."""
