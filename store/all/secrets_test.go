package all

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/jobs/httpcall"
	"github.com/elasticjob-go/elastic/jobs/script"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/observe/alarm"
	"github.com/elasticjob-go/elastic/store"
)

// planted is the secret that is looked for. It needs to be percent-encoded, so
// that its forms differ.
const planted = "S3cr3t@/pl4nt"

// printed returns v in every way in which programs print things.
func printed(v any) string {
	var b bytes.Buffer
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&b, format+"\n", v)
	}
	asJSON, _ := json.Marshal(v)
	asXML, _ := xml.Marshal(v)
	b.Write(asJSON)
	b.Write(asXML)
	slog.New(slog.NewTextHandler(&b, nil)).Info("text", "v", v)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("JSON", "v", v)
	return b.String()
}

// hidden fails the test if a text shows the planted secret, or a part of it.
func hidden(t *testing.T, place, text string) {
	t.Helper()
	for _, form := range []string{"S3cr3t", "pl4nt", fmt.Sprintf("%x", "S3cr3t"), fmt.Sprintf("%X", "S3cr3t")} {
		if strings.Contains(text, form) {
			t.Errorf("%s: the secret is shown: %s", place, text)
			return
		}
	}
}

// A secret in any place that can hold one is in no error, log, event or
// document and is printed by no verb of package fmt.
func TestSecrets_AreNeverShown(t *testing.T) {
	said := saying(t)
	t.Setenv("ALL_TEST_SECRET", planted)
	var group sync.WaitGroup
	for place, raw := range urls(t) {
		group.Go(func() { ofStore(t, place, raw) })
	}
	group.Go(func() { ofTargets(t) })
	group.Go(func() { ofScheduler(t) })
	ofJobs(t)
	group.Wait()
	hidden(t, "the global loggers", said.String())
}

// urls returns store URLs with the secret in every part.
func urls(t *testing.T) map[string]string {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(planted+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	encoded := url.QueryEscape(planted)
	all := make(map[string]string)
	hosts := map[string]string{"refused": closed(t), "silent": silent(t), "no such host": "no-such-host.invalid"}
	for _, scheme := range []string{"etcd", "zookeeper", "consul", "file", "memory", "nosuch", "ETCD", "zk"} {
		for name, host := range hosts {
			if scheme != "etcd" && scheme != "zookeeper" && scheme != "consul" {
				if name != "refused" {
					continue // nothing is dialed
				}
				host = ""
			}
			for form, rest := range map[string]string{
				"password": "user:" + encoded + "@" + host + "/ns", "no percent-encoding": "user:" + planted + "@" + host + "/ns",
				"question mark": "root:pa?" + planted + "@" + host + "/ns", "question mark after digits": "root:12?" + planted + "@" + host + "/ns",
				"token for a user": encoded + "@" + host + "/ns", "user with a colon": "a%3A" + encoded + "@" + host + "/ns", "no host": "root:S3cr3t/ns",
				"file": "user@" + host + "/ns?password_file=" + file, "variable": "user@" + host + "/ns?password_env=ALL_TEST_SECRET",
				"token": host + "/ns?token=" + encoded, "token file": host + "/ns?token_file=" + file, "token variable": host + "/ns?token_env=ALL_TEST_SECRET",
				"pwd": host + "/ns?pwd=" + encoded, "passwd": host + "/ns?passwd=" + encoded, "acl": host + "/ns?acl=" + encoded, "auth": host + "/ns?auth=" + encoded,
				"semicolon": host + "/ns?dc=a;token=" + planted, "ampersand": host + "/ns?dc=a&amp;token=" + encoded, "second question mark": host + "/ns?tls=true?token=S3cr3t",
				"no name": host + "/ns?" + encoded, "for a file": host + "/ns?token_file=" + encoded, "for a certificate": host + "/ns?ca=" + encoded,
				"for a key": host + "/ns?cert=" + file + "&key=" + encoded, "for a variable": host + "/ns?token_env=" + encoded, "key of no form": host + "/ns?cert=" + file + "&key=" + file,
				"other fault": "user:" + encoded + "@" + host + "/ns?nosuch=1", "port": "user:" + encoded + "@" + host + ":port/ns?session_ttl=soon",
			} {
				all[scheme+", "+name+", "+form] = scheme + "://" + rest
			}
		}
	}
	return all
}

func ofStore(t *testing.T, place, raw string) {
	hidden(t, place+": Redact", store.Redact(raw))
	c, err := store.ParseURL(raw)
	if err != nil {
		hidden(t, place+": ParseURL", printed(err))
	} else {
		for _, v := range []any{c, &c, []any{c}, map[string]any{"c": c}, struct{ C store.Config }{c}} {
			hidden(t, place+": Config", printed(v))
		}
	}
	if strings.HasPrefix(raw, "file:") && err == nil && c.User == "" && c.Password == "" && len(c.Hosts) == 0 && len(c.Params) == 0 {
		return // it would make a directory
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	s, err := store.Open(ctx, raw)
	if err != nil {
		hidden(t, place+": Open", printed(err))
		return
	}
	defer s.Close(ctx)
	hidden(t, place+": Portable", printed(s))
	if _, err := s.Get(ctx, "missing"); err != nil {
		hidden(t, place+": Get", printed(err))
	}
}

// echo answers every request with what it was sent.
func echo(t *testing.T, status int) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		text := r.URL.String() + " " + fmt.Sprint(r.Header) + string(body)
		w.Header().Set("Location", "/login?token="+url.QueryEscape(planted))
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"errcode": 1, "errmsg": text})
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func ofTargets(t *testing.T) {
	message := alarm.Message{Count: 1, Event: observe.Event{Kind: observe.Stuck, Job: "report", Shard: -1}}
	path, query := url.PathEscape(planted), url.QueryEscape(planted)
	for _, base := range []string{echo(t, 200), echo(t, 302), echo(t, 403), "http://" + closed(t), "http://no-such-host.invalid", "ftp://h", "http://[" + path} {
		for _, target := range []alarm.Target{
			alarm.Slack{URL: base + "/services/" + path}, alarm.DingTalk{URL: base + "/send?access_token=" + query, Secret: planted}, alarm.WeCom{URL: base + "/send?key=" + query},
			alarm.Feishu{URL: base + "/hook/" + path, Secret: planted}, alarm.Webhook{URL: base + "/" + path, Headers: map[string]string{"Authorization": "Bearer " + planted}},
			alarm.Webhook{URL: base + "?x=" + query, Headers: map[string]string{"A": planted + "\n"}, Method: "GET"},
			alarm.Mail{Host: "127.0.0.1", Port: 1, Username: "u", Password: planted, From: "a@b.example", To: []string{"a@b.example"}},
			alarm.Mail{Host: "smtp://u:" + planted + "@h", Username: "u", Password: planted, Security: alarm.SecurityNoTLS},
		} {
			hidden(t, target.Name(), target.Name()+printed(target)+printed([]alarm.Target{target})+printed(alarm.Config{Targets: []alarm.Target{target}}))
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			if err := target.Send(ctx, message); err != nil {
				hidden(t, target.Name()+": Send", printed(err))
			}
			cancel()
			var unsent []error
			sender, err := alarm.Start(alarm.Config{Targets: []alarm.Target{target}, OnError: func(err error) { unsent = append(unsent, err) }})
			if err != nil {
				hidden(t, target.Name()+": Start", printed(err))
				continue
			}
			hidden(t, target.Name()+": Sender", printed(sender))
			if err := sender.Close(context.Background()); err != nil {
				hidden(t, target.Name()+": Close", printed(err))
			}
			hidden(t, target.Name()+": OnError", printed(unsent))
		}
	}
}

// requests returns HTTP jobs with the secret in every part.
func requests(base string) []httpcall.Request {
	query := url.QueryEscape(planted)
	asJSON := map[string]string{"Content-Type": "application/json"}
	return []httpcall.Request{
		{URL: base, Headers: map[string]string{"Authorization": "Bearer " + planted}}, {URL: base, Headers: map[string]string{"X-Key": planted}},
		{URL: base + "?token=" + query}, {URL: base + "?" + query}, {URL: base + "?x=" + query},
		{Method: "POST", URL: base, Headers: asJSON, Body: `{"password": "` + planted + `"}`}, {Method: "POST", URL: base, Headers: asJSON, Body: `["` + planted + `"]`},
	}
}

func ofJobs(t *testing.T) {
	sh := elastic.Run{Job: "report", Shards: 1}
	for _, base := range []string{echo(t, 200), echo(t, 302), echo(t, 500), "http://" + closed(t), "http://no-such-host.invalid"} {
		for _, r := range requests(base) {
			hidden(t, "HTTP request", printed(r)+printed(&r)+printed([]any{r}))
			r.Allow = httpcall.Loopback()
			h, err := httpcall.New(r)
			if err != nil {
				t.Error(err)
				continue
			}
			hidden(t, "HTTP handler", printed(h))
			if err := h.Handle(t.Context(), sh); err != nil {
				hidden(t, "HTTP error", printed(err))
			}
		}
	}
	for _, r := range requests("http://h/%zz") {
		r.Method = "HEAD"
		_, err := httpcall.New(r)
		hidden(t, "HTTP request that is refused", printed(err))
	}
	_, err := httpcall.New(httpcall.Request{URL: "https://user:" + planted + "@h/"})
	hidden(t, "HTTP user", printed(err))

	s := script.Script{Path: "sh", Args: []string{"-c", "exit 3", planted}, Env: []string{"PASSWORD=" + planted}}
	hidden(t, "script", printed(s)+printed(&s)+printed([]any{s}))
	h, err := script.New(s)
	if err != nil {
		t.Fatal(err)
	}
	hidden(t, "script handler", printed(h)+printed(h.Handle(t.Context(), sh)))
	for _, faulty := range []script.Script{
		{Path: "no-such-program", Args: s.Args, Env: s.Env}, {Path: "sh", Args: []string{planted + "\x00"}}, {Path: "sh", Env: []string{"PASSWORD=" + planted + "\x00"}},
	} {
		_, err := script.New(faulty)
		hidden(t, "script that is refused", printed(err))
	}
}

// ofScheduler looks at all that a scheduler says about jobs that fail.
func ofScheduler(t *testing.T) {
	var log bytes.Buffer
	events := make(chan elastic.Event, 1000)
	logger := slog.New(slog.NewMultiHandler(slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)))
	s, err := elastic.Open(t.Context(), "memory://user:"+url.QueryEscape(planted)+"@secrets/all", elastic.WithLogger(logger), elastic.WithEvents(func(e elastic.Event) {
		select {
		case events <- e:
		default:
		}
	}))
	if err != nil {
		t.Error(err)
		return
	}
	hidden(t, "scheduler", printed(s))
	for i, r := range requests(echo(t, 500)) {
		r.Allow = httpcall.Loopback()
		h, err := httpcall.New(r)
		if err != nil {
			t.Error(err)
			return
		}
		s.MustAdd(elastic.Job{Name: fmt.Sprintf("http-%d", i), Schedule: "@every 1s"}, h)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	failed := make(map[string]bool)
	for len(failed) < 7 && ctx.Err() == nil {
		select {
		case e := <-events:
			hidden(t, "event", printed(e)+printed(e.Err))
			if e.Kind == observe.Ended {
				failed[e.Job] = true
			}
		case <-ctx.Done():
			t.Error("not every job has run within 30 s")
		}
	}
	cancel()
	<-done
	hidden(t, "log", log.String())
}
