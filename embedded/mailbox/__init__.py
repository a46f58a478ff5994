"""A mailbox for looking: takes every message by SMTP, keeps it as a file, shows it in the browser."""
