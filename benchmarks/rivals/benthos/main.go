// Benthos, the open core of Redpanda Connect, with what its core lacks here: input from Kafka by franz-go
// (which Connect's own inputs are made of), Avro single-object bytes, and an output to the dead letters.
//
// It does: read in batches, map in Bloblang (config.yaml), fill bulks of 5,000 items for each endpoint, retry
// without end, put unreadable records into a dead-letter topic, confirmed (of those that are no event of
// Segment's the decoded JSON, not the record's bytes); commit, in order, only what has been answered.
// At-least-once.
//
// Of its CPU about half is Bloblang, which is interpreted, and an eighth is reading Avro and JSON (Go's profiler).
//
// It does not, compared with streamer: keep companies before users before activities, nor the order of
// one user's upserts beyond one request at a time; read the answers' error entries; coalesce; know copies;
// share a quota; settle what a rebalance takes away; remember what was settled ahead of the commit.
package main

import (
	"context"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
)

func main() {
	registerInput()
	registerAvro()
	registerLetters()
	service.RunCLI(context.Background())
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
