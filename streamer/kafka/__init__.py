"""Kafka's edge: the only room that knows confluent_kafka. Its exceptions end at this door."""
