"""The `notifications` service: tells everybody concerned what became of a visit, once each."""
