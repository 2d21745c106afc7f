package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"github.com/hamba/avro/v2"
	"github.com/redpanda-data/benthos/v4/public/service"
)

var magic = []byte{0xC3, 0x01}

const headerBytes = 10

// Fields that hold JSON as text.
var jsonFields = []string{"context", "integrations", "traits", "properties"}

// reader turns Avro single-object bytes, or JSON, into what Bloblang maps.
type reader struct {
	schemas map[uint64]avro.Schema
}

func registerAvro() {
	spec := service.NewConfigSpec().Field(service.NewStringField("schemas"))
	must(service.RegisterProcessor("single_object_avro", spec,
		func(conf *service.ParsedConfig, _ *service.Resources) (service.Processor, error) {
			folder, err := conf.FieldString("schemas")
			if err != nil {
				return nil, err
			}
			return newReader(folder)
		}))
}

func newReader(folder string) (*reader, error) {
	read := &reader{schemas: map[uint64]avro.Schema{}}
	paths, err := filepath.Glob(filepath.Join(folder, "*.avsc"))
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		schema, err := avro.ParseBytesWithCache(text, "", &avro.SchemaCache{})
		if err != nil {
			return nil, err
		}
		print, err := schema.FingerprintUsing(avro.CRC64AvroLE)
		if err != nil {
			return nil, err
		}
		read.schemas[binary.LittleEndian.Uint64(print)] = schema
	}
	return read, nil
}

func (read *reader) Process(_ context.Context, message *service.Message) (service.MessageBatch, error) {
	value, err := message.AsBytes()
	if err != nil {
		return nil, err
	}
	if len(value) == 0 {
		return nil, nil // a tombstone
	}
	event, err := read.event(value)
	if err != nil {
		return nil, err
	}
	message.SetStructuredMut(event)
	return service.MessageBatch{message}, nil
}

func (read *reader) Close(context.Context) error {
	return nil
}

func (read *reader) event(value []byte) (any, error) {
	if !bytes.HasPrefix(value, magic) {
		return decoded(value)
	}
	if len(value) < headerBytes {
		return nil, errors.New("truncated")
	}
	schema, isKnown := read.schemas[binary.LittleEndian.Uint64(value[2:headerBytes])]
	if !isKnown {
		return nil, errors.New("unknown schema")
	}
	event := map[string]any{}
	if err := avro.Unmarshal(schema, value[headerBytes:], &event); err != nil {
		return nil, err
	}
	for name, each := range event {
		// Of a union hamba gives the branch's name too.
		if branch, isBranch := each.(map[string]any); isBranch && len(branch) == 1 {
			for _, within := range branch {
				event[name] = within
			}
		}
	}
	for _, name := range jsonFields {
		if text, isText := event[name].(string); isText {
			part, err := decoded([]byte(text))
			if err != nil {
				return nil, err
			}
			event[name] = part
		}
	}
	return event, nil
}

// decoded keeps integers as they are written: a double would round what is beyond 2^53.
func decoded(text []byte) (value any, err error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	err = decoder.Decode(&value)
	return value, err
}
