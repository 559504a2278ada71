package alarm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/elasticjob-go/elastic/internal/faults"
	"github.com/elasticjob-go/elastic/observe"
)

// Webhook is a Target that sends messages to a URL.
type Webhook struct {
	// URL is the destination. Errors show its host only. Redirects are not
	// followed.
	URL string

	// Method is POST or PUT. Empty means POST.
	Method string

	// Headers are sent with each message. Their values are in no error.
	Headers map[string]string

	// Template is a text/template for the body, executed with a [Message]:
	// {{.Title}}, {{.Text}}, {{.Count}}, {{.Event.Job}}. The function json
	// encodes a value: {"text": {{json .Text}}}. Start reports names that do
	// not exist. Empty means a JSON object with title, text, name, kind, job,
	// shard, instance, fire, attempt, result, error, count, since, time and
	// omitted.
	Template string

	// ContentType is the type of the body. Empty means application/json. Start
	// checks a template of JSON.
	ContentType string
}

// Name returns the host of the URL.
func (w Webhook) Name() string { return "webhook at " + host(w.URL) }

// Validate returns all faults of the settings in one error.
func (w Webhook) Validate() error {
	var list faults.List
	list.Append(checkURL(w.URL))
	if w.Method != "" && w.Method != http.MethodPost && w.Method != http.MethodPut {
		list.Add("method: must be POST or PUT, is %q", w.Method)
	}
	for _, name := range slices.Sorted(maps.Keys(w.Headers)) {
		if name == "" || strings.ContainsAny(name, " :\r\n") || strings.ContainsAny(w.Headers[name], "\r\n\x00") {
			list.Add("headers: %q has characters that a header can't have", name)
		}
	}
	kind, _, err := mime.ParseMediaType(w.contentType())
	if err != nil {
		list.Add("content type %q: %w", w.ContentType, err)
	}
	if body, err := w.body(probe); err != nil {
		list.Append(err)
	} else if kind == "application/json" && !json.Valid(body) {
		list.Add("template: its result is not JSON; write {{json .Text}} without quotes around it")
	}
	return list.ErrOf("webhook")
}

// probe is a message with a value in every field, some of which need escapes.
var probe = Message{
	Name:    "probe",
	Count:   2,
	Since:   time.Unix(1, 0).UTC(),
	Omitted: 1,
	Event: observe.Event{
		Time:     time.Unix(1, 0).UTC(),
		Kind:     observe.Ended,
		Instance: "a@1",
		Job:      "job",
		Shard:    1,
		Fire:     time.Unix(1, 0).UTC(),
		Attempt:  1,
		Fence:    1,
		Result:   "failed",
		Took:     time.Second,
		Subject:  "b@1",
		Detail:   "of \"several\"\nlines",
		Err:      errors.New("a \"quoted\"\nerror"),
	},
}

// Send sends a message. A status other than 200 to 299 is an error.
func (w Webhook) Send(ctx context.Context, m Message) error {
	body, err := w.body(m)
	if err != nil {
		return err
	}
	header := http.Header{"Content-Type": {w.contentType()}}
	var secrets []string
	for name, value := range w.Headers {
		header.Set(name, value)
		secrets = append(append(secrets, value), strings.Fields(value)...)
	}
	method := w.Method
	if method == "" {
		method = http.MethodPost
	}
	_, err = post(ctx, method, w.URL, header, body, secrets...)
	return err
}

func (w Webhook) contentType() string {
	if w.ContentType == "" {
		return "application/json"
	}
	return w.ContentType
}

var functions = template.FuncMap{"json": func(v any) (string, error) {
	if err, ok := v.(error); ok {
		v = err.Error()
	}
	b, err := json.Marshal(v)
	return string(b), err
}}

func (w Webhook) body(m Message) ([]byte, error) {
	if w.Template == "" {
		return json.Marshal(newDocument(m))
	}
	t, err := template.New("template").Funcs(functions).Option("missingkey=error").Parse(w.Template)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, m); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// document is the body of a webhook without a template.
type document struct {
	Title    string `json:"title"`
	Text     string `json:"text"`
	Name     string `json:"name,omitempty"`
	Kind     string `json:"kind"`
	Job      string `json:"job,omitempty"`
	Shard    *int   `json:"shard,omitempty"`
	Instance string `json:"instance,omitempty"`
	Fire     string `json:"fire,omitempty"`
	Attempt  int    `json:"attempt,omitempty"`
	Result   string `json:"result,omitempty"`
	Error    string `json:"error,omitempty"`
	Count    int    `json:"count"`
	Since    string `json:"since,omitempty"`
	Time     string `json:"time,omitempty"`
	Omitted  int    `json:"omitted,omitempty"`
}

func newDocument(m Message) document {
	e := m.Event
	d := document{
		Title:    m.Title(),
		Text:     m.Text(),
		Name:     m.Name,
		Kind:     string(e.Kind),
		Job:      e.Job,
		Instance: e.Instance,
		Fire:     stamp(e.Fire),
		Attempt:  e.Attempt,
		Result:   e.Result,
		Count:    m.Count,
		Since:    stamp(m.Since),
		Time:     stamp(e.Time),
		Omitted:  m.Omitted,
	}
	if e.Job != "" && e.Shard >= 0 {
		d.Shard = &e.Shard
	}
	if e.Err != nil {
		d.Error = cut(e.Err.Error(), maxError)
	}
	return d
}
