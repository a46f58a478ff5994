"""The servers `wafd up` brings along when no others are named: PostgreSQL, a Kafka broker, a mailbox."""
