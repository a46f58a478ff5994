"""Plans the programme of every approved visit and holds its people and venues."""
