"""Forum days: bilateral meetings between delegations and experts, at few tables and with few breaks."""
