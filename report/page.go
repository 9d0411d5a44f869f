package report

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io/fs"
	"strings"

	"shallow/sweep"
)

// web holds the page's template, style and scripts, and the library that draws, D3 (see web/README.md).
//
//go:embed web
var web embed.FS

// scripts are the page's, in the order in which they build upon each other. The library's files are as npm has them.
var scripts = []string{
	"d3/d3-array.min.js", "d3/d3-color.min.js", "d3/d3-format.min.js", "d3/d3-interpolate.min.js", "d3/d3-path.min.js",
	"d3/d3-time.min.js", "d3/d3-time-format.min.js", "d3/d3-scale.min.js", "d3/d3-selection.min.js", "d3/d3-shape.min.js", "d3/d3-axis.min.js",
	"focus.js", "labels.js", "chart.js", "heat.js", "page.js",
}

// page is what the template shows.
type page struct {
	Title, Tool             string
	Planned, Done, Recorded int
	Models                  []*modelPage
	Healings                []fact
	Spec                    string
	Data                    pageData
	Script                  template.JS
	Style                   template.CSS
	Policy                  string
}

// modelPage is one model's part.
type modelPage struct {
	Name, ID string
	Findings []string
	Sections []*section
	Facts    []fact
	Tasks    dataTable
	Files    dataTable
}

// section is some figures of one kind.
type section struct {
	ID, Title string
	Short     string // in the list of sections
	Intro     string
	Key       []line // what lines mean, where a section's figures share that
	Squares   bool   // whether there are recorded points
	Figures   []*figure
	Missing   string // why there is no figure, or what is not in it
	Extra     *dataTable
	Folded    bool // whether Extra is shown only when asked for
}

// pageData is the block from which the page's script draws.
type pageData struct {
	Charts  []*chart    `json:"charts"`
	Heats   []*heat     `json:"heats"`
	Dashes  [][]float64 `json:"dashes"`
	Viridis []string    `json:"viridis"`
}

// builder makes one model's part of the page.
type builder struct {
	result   *sweep.Result
	model    *sweep.Model
	subjects []*subject
	prefix   string // of the names of figures, where there are several models
	taken    map[string]bool
}

func newBuilder(r *sweep.Result, m *sweep.Model) *builder {
	b := &builder{result: r, model: m, subjects: subjects(r, m), taken: map[string]bool{}}
	if len(r.Models) > 1 {
		for i := range r.Models {
			if &r.Models[i] == m {
				b.prefix = fmt.Sprintf("%d-%s-", i+1, slug(m.Name))
			}
		}
	}
	return b
}

// name is a figure's name: the page's anchor and the files'.
func (b *builder) name(kind, of string) string {
	name := b.prefix + kind
	if of != "" {
		name += "-" + slug(of)
	}
	whole := name
	for i := 2; b.taken[whole]; i++ {
		whole = fmt.Sprintf("%s-%d", name, i)
	}
	b.taken[whole] = true
	return whole
}

func (b *builder) figure(c *chart, kind, of string) *figure {
	c.ID = b.name(kind, of)
	return &figure{ID: c.ID, Title: c.Title, Chart: c}
}

// build makes the page's content, without links to pictures.
func build(r *sweep.Result) *page {
	p := &page{Tool: plain(r.Tool), Planned: r.Planned, Done: len(r.Cells), Healings: healingFacts(r), Spec: specText(r)}
	var names []string
	for i := range r.Models {
		b := newBuilder(r, &r.Models[i])
		names = append(names, plain(b.model.Name))
		p.Models = append(p.Models, b.build())
	}
	for i := range r.Cells {
		if r.Cells[i].Recorded {
			p.Recorded++
		}
	}
	p.Title = list(names) + " without some layers"
	for _, d := range dashes {
		p.Data.Dashes = append(p.Data.Dashes, d)
	}
	for _, c := range viridis {
		p.Data.Viridis = append(p.Data.Viridis, fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B))
	}
	for _, f := range p.figures() {
		if f.Heat != nil {
			p.Data.Heats = append(p.Data.Heats, f.Heat)
		} else {
			p.Data.Charts = append(p.Data.Charts, f.Chart)
		}
	}
	return p
}

// figures are all of the page's.
func (p *page) figures() (all []*figure) {
	for _, m := range p.Models {
		for _, s := range m.Sections {
			all = append(all, s.Figures...)
		}
	}
	return all
}

// render writes the page. The policy lets nothing run or load but what is in it.
func (p *page) render() ([]byte, error) {
	licence, err := fs.ReadFile(web, "web/d3/LICENSE")
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	var script strings.Builder
	fmt.Fprintf(&script, "/*! D3\n%s*/\n", licence)
	for _, name := range scripts {
		data, err := fs.ReadFile(web, "web/"+name)
		if err != nil {
			return nil, fmt.Errorf("report: %w", err)
		}
		script.Write(data)
		script.WriteByte('\n')
	}
	style, err := fs.ReadFile(web, "web/page.css")
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	p.Script, p.Style = template.JS(script.String()), template.CSS(style)
	p.Policy = fmt.Sprintf("default-src 'none'; script-src '%s'; style-src '%s'; base-uri 'none'; form-action 'none'",
		integrity([]byte(p.Script)), integrity(style))
	t, err := template.New("page.html").Funcs(template.FuncMap{"tie": tie}).ParseFS(web, "web/page.html")
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, p); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	return b.Bytes(), nil
}

// integrity is the hash by which a policy allows a script or style.
func integrity(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
