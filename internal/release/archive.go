package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"time"
)

// file is a file of an archive, or the archive.
type file struct {
	name    string
	data    []byte
	program bool // It may be run.
}

func (f file) mode() int64 {
	if f.program {
		return 0o755
	}
	return 0o644
}

// moment is the time of every file, the first that a zip can tell: a clock would make each archive another.
var moment = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// tarred is a .tar.gz of the files in the folder root.
func tarred(root string, files []file) ([]byte, error) {
	var b bytes.Buffer
	compressed, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	w := tar.NewWriter(compressed)
	for _, f := range files {
		header := &tar.Header{Name: root + "/" + f.name, Mode: f.mode(), Size: int64(len(f.data)), ModTime: moment, Format: tar.FormatUSTAR}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if err := compressed.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// zipped is a .zip of the files in the folder root.
func zipped(root string, files []file) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		entry, err := w.CreateHeader(&zip.FileHeader{Name: root + "/" + f.name, Method: zip.Deflate, Modified: moment})
		if err != nil {
			return nil, err
		}
		if _, err := entry.Write(f.data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
