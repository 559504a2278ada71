package alarm_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/observe/alarm"
)

var three = time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)

// message has characters that each target must escape.
var message = alarm.Message{
	Name: "prod", Count: 12, Since: three, Omitted: 4,
	Event: observe.Event{
		Time:     three.Add(time.Minute),
		Kind:     observe.Ended,
		Result:   "failed",
		Instance: "a@1",
		Job:      "report",
		Shard:    2,
		Fire:     three,
		Attempt:  1,
		Took:     1500 * time.Millisecond,
		Err:      errors.New("<!channel> \"no\" paper & ink\n<at user_id=\"all\">"),
	},
}

const text = `12 times since 2026-01-02T03:00:00Z; the last:
time: 2026-01-02T03:01:00Z
instance: a@1
job: report
shard: 2
fire: 2026-01-02T03:00:00Z
attempt: 1
took: 1.5s
error: <!channel> "no" paper & ink
<at user_id="all">
4 alarms before this one were not sent`

// The text of a message has every field of its event.
func TestMessage_HasAllFields(t *testing.T) {
	if got := message.Title(); got != "prod: report failed, 12 times" {
		t.Errorf("got %q", got)
	}
	if got := message.Text(); got != text {
		t.Errorf("got\n%s\nwant\n%s", got, text)
	}
	for _, tt := range []struct {
		e    observe.Event
		want string
	}{
		{observe.Event{Kind: observe.Ended, Result: "failed", Job: "report", Shard: 2}, "report/2 failed"},
		{observe.Event{Kind: observe.Trouble, Job: "report", Shard: -1}, "report trouble"},
		{observe.Event{Kind: observe.SessionLost, Instance: "a@1", Shard: -1}, "a@1 lost"},
		{observe.Event{Kind: "of\r\nmany lines", Instance: "a@1", Shard: -1}, "a@1 of  many lines"},
	} {
		if got := (alarm.Message{Event: tt.e, Count: 1}).Title(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

// A message has a bounded length, whatever its event has.
func TestMessage_IsBounded(t *testing.T) {
	long := message
	long.Event.Err, long.Event.Detail = errors.New(strings.Repeat("é", 10_000)), strings.Repeat("\xff", 10_000)
	if got := len(long.Text()); got > 1700 {
		t.Errorf("a text of %d bytes", got)
	}
}

// received is a request of a target.
type received struct {
	method, uri, contentType string
	header                   http.Header
	body                     string
}

// robot is a server that answers with a status and a text.
func robot(t *testing.T, status int, answer string) (url string, got *received) {
	t.Helper()
	got = new(received)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		*got = received{r.Method, r.RequestURI, r.Header.Get("Content-Type"), r.Header, string(b)}
		if status == http.StatusFound {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(s.Close)
	return s.URL, got
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// Each target sends the format of its service.
func TestTargets_SendTheFormatOfTheService(t *testing.T) {
	whole := "prod: report failed, 12 times\n" + text
	escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace
	for _, tt := range []struct {
		name   string
		answer string
		target func(url string) alarm.Target
		uri    string
		want   string
	}{
		{
			"Slack",
			"ok",
			func(url string) alarm.Target { return alarm.Slack{URL: url + "/services/T/B/x"} },
			"/services/T/B/x",
			`{"text":` + quoted("*prod: report failed, 12 times*\n"+escaped(text)) + `}`,
		},
		{
			"DingTalk",
			`{"errcode":0,"errmsg":"ok"}`,
			func(url string) alarm.Target { return alarm.DingTalk{URL: url + "/robot/send?access_token=x"} },
			"/robot/send?access_token=x",
			`{"msgtype":"text","text":{"content":` + quoted(whole) + `}}`,
		},
		{
			"DingTalk with a keyword", `{"errcode":0,"errmsg":"ok"}`, func(url string) alarm.Target {
				return alarm.DingTalk{
					URL:     url + "/?access_token=x",
					Keyword: "JOBS",
				}
			}, "/?access_token=x",
			`{"msgtype":"text","text":{"content":` + quoted("JOBS\n"+whole) + `}}`,
		},
		{
			"WeCom",
			`{"errcode":0,"errmsg":"ok"}`,
			func(url string) alarm.Target { return alarm.WeCom{URL: url + "/send?key=x"} },
			"/send?key=x",
			`{"msgtype":"text","text":{"content":` + quoted(whole) + `}}`,
		},
		{
			"Feishu",
			`{"code":0,"msg":"success"}`,
			func(url string) alarm.Target { return alarm.Feishu{URL: url + "/hook/x"} },
			"/hook/x",
			`{"content":{"text":` + quoted(strings.ReplaceAll(whole, "<", "＜")) + `},"msg_type":"text"}`,
		},
		{
			"webhook", "", func(url string) alarm.Target { return alarm.Webhook{URL: url} }, "/",
			`{"title":"prod: report failed, 12 times","text":` + quoted(text) + `,"name":"prod","kind":"ended","job":"report","shard":2,"instance":"a@1","fire":"2026-01-02T03:00:00Z",` +
				`"attempt":1,"result":"failed","error":` + quoted(message.Event.Err.Error()) + `,"count":12,"since":"2026-01-02T03:00:00Z","time":"2026-01-02T03:01:00Z","omitted":4}`,
		},
		{
			"webhook with a template", "", func(url string) alarm.Target {
				return alarm.Webhook{
					URL:      url + "/a",
					Template: `{"summary": {{json .Title}}, "job": {{json .Event.Job}}, "error": {{json .Event.Err}}, "n": {{.Count}}}`,
				}
			}, "/a",
			`{"summary": "prod: report failed, 12 times", "job": "report", "error": ` + quoted(message.Event.Err.Error()) + `, "n": 12}`,
		},
	} {
		url, got := robot(t, 200, tt.answer)
		if err := tt.target(url).Send(t.Context(), message); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if got.method != "POST" || got.uri != tt.uri || !strings.HasPrefix(got.contentType, "application/json") || got.body != tt.want {
			t.Errorf("%s: got %s %s %s\n%s\nwant %s\n%s",
				tt.name, got.method, got.uri, got.contentType, got.body, tt.uri, tt.want)
		}
	}
}

// A message to WeCom has at most 2,048 bytes.
func TestWeCom_KeepsTheLimit(t *testing.T) {
	url, got := robot(t, 200, `{"errcode":0}`)
	long := message
	long.Name = strings.Repeat("作业", 1000)
	if err := (alarm.WeCom{URL: url}).Send(t.Context(), long); err != nil {
		t.Fatal(err)
	}
	var sent struct{ Text struct{ Content string } }
	if err := json.Unmarshal([]byte(got.body), &sent); err != nil || len(sent.Text.Content) > 2048 || !strings.HasSuffix(sent.Text.Content, "作…") && !strings.HasSuffix(sent.Text.Content, "业…") {
		t.Errorf("got %d bytes, %v", len(sent.Text.Content), err)
	}
}

// A webhook uses its method, headers and template.
func TestWebhook_SendsItsSettings(t *testing.T) {
	url, got := robot(t, 204, "")
	w := alarm.Webhook{
		URL:         url,
		Method:      "PUT",
		ContentType: "text/plain",
		Headers:     map[string]string{"Authorization": "Bearer x"},
		Template:    "{{.Title}}!",
	}
	if err := errors.Join(w.Validate(), w.Send(t.Context(), message)); err != nil {
		t.Fatal(err)
	}
	if got.method != "PUT" || got.contentType != "text/plain" || got.header.Get("Authorization") != "Bearer x" || got.body != "prod: report failed, 12 times!" {
		t.Errorf("got %+v", got)
	}
}

// A signed message has the time and its signature.
func TestTargets_SignMessages(t *testing.T) {
	url, got := robot(t, 200, `{"errcode":0}`)
	if err := (alarm.DingTalk{URL: url + "/?access_token=x", Secret: "SECx"}).Send(t.Context(), message); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(got.uri, "/?access_token=x&timestamp=") || !strings.Contains(got.uri, "&sign=") {
		t.Errorf("got %s", got.uri)
	}
	url, got = robot(t, 200, `{"code":0}`)
	if err := (alarm.Feishu{URL: url, Secret: "x"}).Send(t.Context(), message); err != nil {
		t.Fatal(err)
	}
	var sent struct{ Timestamp, Sign string }
	if err := json.Unmarshal([]byte(got.body), &sent); err != nil || len(sent.Timestamp) != len("1599360473") || len(sent.Sign) != len("l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=") {
		t.Errorf("got %s", got.body)
	}
}

// A robot that refuses a message in an answer with status 200 is an error.
func TestTargets_ReportRefusals(t *testing.T) {
	for answer, want := range map[string]string{
		`{"errcode":310000,"errmsg":"sign not match"}`:        "the robot refused it: 310000 sign not match",
		`{"code":19021,"msg":"sign match fail"}`:              "the robot refused it: 19021 sign match fail",
		`{"StatusCode":0,"code":0,"msg":"success","data":{}}`: "",
		`<html>`: "the answer is not JSON",
		`{}`:     "the answer has no code",
	} {
		url, _ := robot(t, 200, answer)
		for _, target := range []alarm.Target{alarm.DingTalk{URL: url}, alarm.WeCom{URL: url}, alarm.Feishu{URL: url}} {
			err := target.Send(t.Context(), message)
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%s, %s: got %v, want %q", target.Name(), answer, err, want)
			}
		}
	}
}

// No error of a target has a secret of its settings.
func TestTargets_ErrorsHaveNoSecrets(t *testing.T) {
	const secret = "s3cr3t-t0k3n"
	echo := func(status int) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", r.URL.String())
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(map[string]any{
				"errcode": 1,
				"errmsg":  r.URL.String() + r.Header.Get("Authorization") + secret,
			})
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_, _ = io.WriteString(c, r.URL.Path+" "+r.URL.RawQuery+"\r\n\r\n")
			c.Close()
		}
	}))
	t.Cleanup(broken.Close)
	for _, url := range []string{
		echo(200),
		echo(302),
		echo(403),
		echo(500),
		broken.URL,
		"http://127.0.0.1:1",
		"http://" + "no such host",
	} {
		for _, target := range []alarm.Target{
			alarm.Slack{URL: url + "/services/" + secret},
			alarm.DingTalk{URL: url + "/robot?access_token=" + secret, Secret: "SEC" + secret},
			alarm.WeCom{URL: url + "/send?key=" + secret},
			alarm.Feishu{URL: url + "/hook/" + secret, Secret: secret},
			alarm.Webhook{
				URL:     url + "/" + secret + "?" + secret,
				Headers: map[string]string{"Authorization": "Bearer " + secret},
			},
		} {
			err := target.Send(t.Context(), message)
			if err == nil && strings.HasPrefix(target.Name(), "Slack") || err == nil && strings.HasPrefix(target.Name(), "webhook") {
				continue // they are content with 200
			}
			if err == nil || strings.Contains(err.Error(), secret) || strings.Contains(target.Name(), secret) {
				t.Errorf("%s: got %v", target.Name(), err)
			}
		}
	}
}

// Redirects are not followed.
func TestTargets_FollowNoRedirect(t *testing.T) {
	url, got := robot(t, http.StatusFound, "")
	err := alarm.Slack{URL: url + "/here"}.Send(t.Context(), message)
	if err == nil || !strings.Contains(err.Error(), "302") || got.uri != "/here" {
		t.Errorf("got %v, and %s was called", err, got.uri)
	}
}

// A server that does not answer is given up when the context ends.
func TestTargets_GiveUpSilentServers(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then the server sees that the client is gone
		<-r.Context().Done()
	}))
	t.Cleanup(s.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := (alarm.Slack{URL: s.URL}).Send(ctx, message); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
