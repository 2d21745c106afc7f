package main

import (
	"context"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	readRecords = 500
	// Batches read and not yet committed: as many records as four full bulks hold.
	mostInFlight = 40
)

// pending is a batch that was handed on; batches are committed in the order in which they were read.
type pending struct {
	records []*kgo.Record
	isDone  bool
}

type input struct {
	bootstrap, topic, group string
	client                  *kgo.Client
	room                    chan struct{}

	mutex sync.Mutex
	open  []*pending
}

func registerInput() {
	spec := service.NewConfigSpec().
		Field(service.NewStringField("bootstrap")).
		Field(service.NewStringField("topic")).
		Field(service.NewStringField("group"))
	must(service.RegisterBatchInput("franz", spec,
		func(conf *service.ParsedConfig, _ *service.Resources) (service.BatchInput, error) {
			in := &input{room: make(chan struct{}, mostInFlight)}
			var err error
			for name, field := range map[string]*string{
				"bootstrap": &in.bootstrap, "topic": &in.topic, "group": &in.group,
			} {
				if *field, err = conf.FieldString(name); err != nil {
					return nil, err
				}
			}
			return service.AutoRetryNacksBatched(in), nil
		}))
}

func (in *input) Connect(context.Context) (err error) {
	in.client, err = kgo.NewClient(
		kgo.SeedBrokers(in.bootstrap),
		kgo.ConsumeTopics(in.topic),
		kgo.ConsumerGroup(in.group),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.AutoCommitMarks(),
		kgo.AutoCommitInterval(500*time.Millisecond),
		kgo.FetchMaxBytes(16<<20),
	)
	return err
}

func (in *input) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	select {
	case in.room <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	fetches := in.client.PollRecords(ctx, readRecords)
	if err := fetches.Err(); err != nil {
		<-in.room
		return nil, nil, err
	}
	read := &pending{records: fetches.Records()}
	in.mutex.Lock()
	in.open = append(in.open, read)
	in.mutex.Unlock()
	batch := make(service.MessageBatch, 0, len(read.records))
	for _, record := range read.records {
		message := service.NewMessage(record.Value)
		message.MetaSetMut("key", string(record.Key))
		batch = append(batch, message)
	}
	return batch, func(context.Context, error) error {
		in.done(read)
		return nil
	}, nil
}

// done marks for commit whatever is answered without a gap from the oldest batch on.
func (in *input) done(read *pending) {
	in.mutex.Lock()
	defer in.mutex.Unlock()
	read.isDone = true
	for len(in.open) > 0 && in.open[0].isDone {
		in.client.MarkCommitRecords(in.open[0].records...)
		in.open = in.open[1:]
		<-in.room
	}
}

func (in *input) Close(context.Context) error {
	if in.client != nil {
		in.client.Close()
	}
	return nil
}

type letters struct {
	bootstrap, topic string
	client           *kgo.Client
}

func registerLetters() {
	spec := service.NewConfigSpec().
		Field(service.NewStringField("bootstrap")).
		Field(service.NewStringField("topic"))
	must(service.RegisterOutput("letters", spec,
		func(conf *service.ParsedConfig, _ *service.Resources) (service.Output, int, error) {
			out := &letters{}
			var err error
			if out.bootstrap, err = conf.FieldString("bootstrap"); err != nil {
				return nil, 0, err
			}
			out.topic, err = conf.FieldString("topic")
			return out, 64, err
		}))
}

func (out *letters) Connect(context.Context) (err error) {
	out.client, err = kgo.NewClient(kgo.SeedBrokers(out.bootstrap))
	return err
}

func (out *letters) Write(ctx context.Context, message *service.Message) error {
	value, err := message.AsBytes()
	if err != nil {
		return err
	}
	reason := "unreadable"
	if found := message.GetError(); found != nil {
		reason = found.Error()
	}
	key, _ := message.MetaGet("key")
	record := &kgo.Record{
		Topic: out.topic, Key: []byte(key), Value: value,
		Headers: []kgo.RecordHeader{{Key: "reason", Value: []byte(reason)}},
	}
	return out.client.ProduceSync(ctx, record).FirstErr()
}

func (out *letters) Close(context.Context) error {
	if out.client != nil {
		out.client.Close()
	}
	return nil
}
