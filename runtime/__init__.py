"""What every service needs and no domain: settings, logs, database, outbox, inbox, Kafka, timers."""
