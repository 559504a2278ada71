package main

import "encoding/json"

// board is a dashboard of Grafana, with the fields that it needs.
type board struct {
	Title         string     `json:"title"`
	UID           string     `json:"uid"`
	Tags          []string   `json:"tags"`
	SchemaVersion int        `json:"schemaVersion"`
	Refresh       string     `json:"refresh"`
	Time          timeRange  `json:"time"`
	Templating    templating `json:"templating"`
	Panels        []panel    `json:"panels"`
}

type timeRange struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type templating struct {
	List []variable `json:"list"`
}

// variable is a choice at the top of a dashboard.
type variable struct {
	Name       string      `json:"name"`
	Type       string      `json:"type"` // datasource or query
	Label      string      `json:"label"`
	Query      string      `json:"query"`
	Datasource *datasource `json:"datasource,omitempty"`
	Refresh    int         `json:"refresh,omitempty"` // 2: when the time range changes
	IncludeAll bool        `json:"includeAll,omitempty"`
	Multi      bool        `json:"multi,omitempty"`
	AllValue   string      `json:"allValue,omitempty"`
}

type datasource struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

type panel struct {
	ID          int         `json:"id"`
	Title       string      `json:"title"`
	Description string      `json:"description,omitempty"`
	Type        string      `json:"type"`
	Datasource  datasource  `json:"datasource"`
	GridPos     gridPos     `json:"gridPos"`
	FieldConfig fieldConfig `json:"fieldConfig"`
	Targets     []target    `json:"targets"`
}

// gridPos is a place in rows of 24 columns.
type gridPos struct {
	X int `json:"x"`
	Y int `json:"y"`
	W int `json:"w"`
	H int `json:"h"`
}

type fieldConfig struct {
	Defaults fieldDefaults `json:"defaults"`
}

type fieldDefaults struct {
	Unit string `json:"unit,omitempty"`
	Min  *int   `json:"min,omitempty"`
}

type target struct {
	RefID        string     `json:"refId"`
	Expr         string     `json:"expr"`
	LegendFormat string     `json:"legendFormat,omitempty"`
	Format       string     `json:"format,omitempty"`
	Datasource   datasource `json:"datasource"`
}

var prometheus = datasource{Type: "prometheus", UID: "${datasource}"}

// graph is a panel in short.
type graph struct {
	title, about string
	kind         string // timeseries if it is empty
	unit         string
	lines        []line
}

type line struct{ expr, legend string }

// newBoard returns a dashboard with its panels in rows of two.
func newBoard(uid, title string, variables []variable, graphs []graph) board {
	b := board{
		Title:         title,
		UID:           uid,
		Tags:          []string{"elasticjob"},
		SchemaVersion: 39,
		Refresh:       "30s",
		Time:          timeRange{From: "now-6h", To: "now"},
		Templating:    templating{List: append([]variable{choice}, variables...)},
	}
	for i, g := range graphs {
		b.Panels = append(b.Panels, g.panel(i))
	}
	return b
}

const (
	panelWidth  = 12
	panelHeight = 8
)

func (g graph) panel(i int) panel {
	zero := 0
	p := panel{
		ID:          i + 1,
		Title:       g.title,
		Description: g.about,
		Type:        "timeseries",
		Datasource:  prometheus,
		GridPos:     gridPos{X: i % 2 * panelWidth, Y: i / 2 * panelHeight, W: panelWidth, H: panelHeight},
		FieldConfig: fieldConfig{fieldDefaults{Unit: g.unit, Min: &zero}},
	}
	if g.kind != "" {
		p.Type = g.kind
	}
	for k, l := range g.lines {
		t := target{
			RefID:        string(rune('A' + k)),
			Expr:         l.expr,
			LegendFormat: l.legend,
			Datasource:   prometheus,
		}
		if p.Type == "heatmap" {
			t.Format = "heatmap"
		}
		p.Targets = append(p.Targets, t)
	}
	return p
}

// choice is the choice of the server of Prometheus.
var choice = variable{Name: "datasource", Type: "datasource", Label: "Data source", Query: "prometheus"}

// ask returns a choice among the values of a label.
func ask(name, label, query string, many bool) variable {
	v := variable{
		Name:       name,
		Type:       "query",
		Label:      label,
		Query:      query,
		Datasource: &prometheus,
		Refresh:    2,
	}
	if many {
		v.IncludeAll, v.Multi = true, true
		v.AllValue = ".*"
	}
	return v
}

func (b board) encode() []byte {
	text, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		panic(err) // strings and numbers alone
	}
	return append(text, '\n')
}
