package heal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// scalar is a number under a name.
type scalar struct {
	tag   string
	value float64
}

// eventFile is a file of TensorFlow events, as TensorBoard reads them: records of a length, its checksum, a message and its
// checksum. Source: tensorflow/core/lib/io/record_writer.cc, tensorflow/core/util/event.proto.
type eventFile struct{ file *os.File }

// The fields of Event, Summary, Summary.Value and SessionLog.
const (
	eventWallTime   = 1 // double
	eventStep       = 2 // int64
	eventVersion    = 3 // string
	eventSummary    = 5 // Summary
	eventSessionLog = 7 // SessionLog

	summaryValue = 1 // Summary.Value, repeated
	valueTag     = 1 // string
	valueSimple  = 2 // float

	sessionStatus = 1 // enum
	sessionStart  = 1 // START: what earlier files say of this step and later ones no longer holds
)

// createEvents begins a file behind a step. Files of the same run from before it was stopped stay; TensorBoard drops their later steps.
func createEvents(dir string, step int, now time.Time) (*eventFile, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	folder := filepath.Join(dir, "tensorboard")
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return nil, fmt.Errorf("heal: %w", err)
	}
	name := fmt.Sprintf("events.out.tfevents.%010d.%s.%d.%d", now.Unix(), host, os.Getpid(), now.Nanosecond())
	f, err := os.OpenFile(filepath.Join(folder, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return nil, fmt.Errorf("heal: %w", err)
	}
	e := &eventFile{f}
	err = e.record(protowire.AppendString(protowire.AppendTag(event(now, 0), eventVersion, protowire.BytesType), "brain.Event:2"))
	if err == nil && step > 0 {
		start := protowire.AppendVarint(protowire.AppendTag(nil, sessionStatus, protowire.VarintType), sessionStart)
		err = e.record(protowire.AppendBytes(protowire.AppendTag(event(now, step+1), eventSessionLog, protowire.BytesType), start))
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return e, nil
}

// event is the begin of an Event.
func event(now time.Time, step int) []byte {
	seconds := float64(now.UnixNano()) / 1e9
	b := protowire.AppendFixed64(protowire.AppendTag(nil, eventWallTime, protowire.Fixed64Type), math.Float64bits(seconds))
	if step == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, eventStep, protowire.VarintType), uint64(step))
}

// write adds the numbers of a step.
func (e *eventFile) write(step int, now time.Time, scalars []scalar) error {
	var summary []byte
	for _, s := range scalars {
		v := protowire.AppendString(protowire.AppendTag(nil, valueTag, protowire.BytesType), s.tag)
		v = protowire.AppendFixed32(protowire.AppendTag(v, valueSimple, protowire.Fixed32Type), math.Float32bits(float32(s.value)))
		summary = protowire.AppendBytes(protowire.AppendTag(summary, summaryValue, protowire.BytesType), v)
	}
	return e.record(protowire.AppendBytes(protowire.AppendTag(event(now, step), eventSummary, protowire.BytesType), summary))
}

// record writes one message with its length and checksums.
func (e *eventFile) record(message []byte) error {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(message)))
	b = binary.LittleEndian.AppendUint32(b, maskedChecksum(b))
	b = append(b, message...)
	b = binary.LittleEndian.AppendUint32(b, maskedChecksum(message))
	if _, err := e.file.Write(b); err != nil {
		return fmt.Errorf("heal: TensorBoard's events cannot be written: %w", err)
	}
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// maskedChecksum is CRC-32C, turned and moved, so that a checksum of checksums is no fixed point.
func maskedChecksum(b []byte) uint32 {
	c := crc32.Checksum(b, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}
