package report

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"shallow/internal/atomicfile"
	"shallow/similarity"
	"shallow/sweep"
)

// Read reads what a sweep wrote into a directory. Where there is only the distances.json of a measurement, that is a result
// with one model and no cells.
func Read(dir string) (*sweep.Result, error) {
	if _, err := os.Stat(filepath.Join(dir, sweep.ResultFile)); !errors.Is(err, fs.ErrNotExist) {
		return sweep.Read(dir)
	}
	name := filepath.Join(dir, "distances.json")
	if _, err := os.Stat(name); err != nil {
		return nil, fmt.Errorf("report: %s has neither %s nor distances.json: give the directory that shallow sweep, run or measure wrote", dir, sweep.ResultFile)
	}
	d, _, err := similarity.Read(name)
	if err != nil {
		return nil, err
	}
	m := sweep.Model{Name: d.Model.Name, Type: d.Model.Type, Layers: d.Layers, Distances: d}
	if m.Name == "" {
		m.Name = filepath.Base(dir)
	}
	return &sweep.Result{Version: 1, Tool: d.Tool, Models: []sweep.Model{m}}, nil
}

// Write writes a result as one page that needs nothing else, and its figures as PNG and SVG into a folder beside it, which is
// called as the page with "-figures" for ".html".
func Write(name string, r *sweep.Result) error {
	if len(r.Models) == 0 {
		return errors.New("report: the sweep has no model yet: let it run until its first cell is done")
	}
	base := strings.TrimSuffix(filepath.Base(name), filepath.Ext(name))
	folder := base + "-figures"
	dir := filepath.Join(filepath.Dir(name), folder)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	p := build(r)
	for i, m := range p.Models {
		b := &builder{result: r, model: &r.Models[i]}
		for _, s := range m.Sections {
			for _, f := range s.Figures {
				if err := f.write(b, dir, folder); err != nil {
					return err
				}
			}
		}
	}
	data, err := p.render()
	if err != nil {
		return err
	}
	if err := atomicfile.Write(name, data); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// write writes a figure's pictures and notes where they are.
func (f *figure) write(b *builder, dir, folder string) error {
	svg, png, err := f.pictures(b)
	if err != nil {
		return err
	}
	for _, file := range []struct {
		extension string
		data      []byte
		link      *string
	}{{".svg", svg, &f.SVG}, {".png", png, &f.PNG}} {
		if err := atomicfile.Write(filepath.Join(dir, f.ID+file.extension), file.data); err != nil {
			return fmt.Errorf("report: %w", err)
		}
		*file.link = (&url.URL{Path: "./" + folder + "/" + f.ID + file.extension}).String()
	}
	return nil
}
