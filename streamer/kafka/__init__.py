"""EDGE: confluent_kafka. Records in, commits and dead letters out."""
