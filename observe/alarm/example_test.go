package alarm_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/observe/alarm"
)

// Three shards fail together, and one message is sent.
func Example() {
	service := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Println(string(body))
	}))
	defer service.Close()

	alarms, err := alarm.Start(alarm.Config{
		Name: "production",
		Targets: []alarm.Target{alarm.Webhook{
			URL:      service.URL,
			Template: `{"summary": {{json .Title}}, "error": {{json .Event.Err}}}`,
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	// A scheduler calls Observe: elastic.Open(ctx, url,
	// elastic.WithEvents(alarms.Observe))
	for shard := range 3 {
		alarms.Observe(observe.Event{
			Kind:   observe.Ended,
			Result: "failed",
			Job:    "report",
			Shard:  shard,
			Err:    errors.New("no paper"),
		})
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fmt.Println(alarms.Close(ctx))
	// Output:
	// {"summary": "production: report failed, 3 times", "error": "no paper"}
	// <nil>
}

// These are the built-in targets. A target that does not answer does not delay
// the others.
func ExampleTarget() {
	targets := []alarm.Target{
		alarm.Mail{
			Host:     "mail.example.com",
			Username: "jobs",
			Password: "secret",
			From:     "Jobs <jobs@example.com>",
			To:       []string{"ops@example.com"},
		},
		alarm.Slack{URL: "https://hooks.slack.com/services/T0/B0/secret"},
		alarm.DingTalk{URL: "https://oapi.dingtalk.com/robot/send?access_token=secret", Secret: "SECsecret"},
		alarm.WeCom{URL: "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=secret"},
		alarm.Feishu{URL: "https://open.feishu.cn/open-apis/bot/v2/hook/secret", Secret: "secret"},
		alarm.Webhook{
			URL:     "https://alarms.example.com/v1",
			Headers: map[string]string{"Authorization": "Bearer secret"},
		},
	}
	alarms, err := alarm.Start(alarm.Config{Targets: targets})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range targets {
		fmt.Println(t.Name()) // as in errors: without secrets
	}
	fmt.Println(alarms.Close(context.Background()))
	// Output:
	// mail by mail.example.com
	// Slack at hooks.slack.com
	// DingTalk at oapi.dingtalk.com
	// WeCom at qyapi.weixin.qq.com
	// Feishu at open.feishu.cn
	// webhook at alarms.example.com
	// <nil>
}

// A rule chooses the events that are alarms: here, stuck or abandoned payments.
func ExampleRule() {
	urgent := alarm.Kinds(observe.Stuck, observe.Abandoned).Jobs("payments")

	fmt.Println(urgent(observe.Event{Kind: observe.Stuck, Job: "payments"}))
	fmt.Println(urgent(observe.Event{Kind: observe.Stuck, Job: "report"}))
	fmt.Println(urgent(observe.Event{Kind: observe.Ended, Job: "payments", Result: "failed"}))
	// Output:
	// true
	// false
	// false
}

// Start reports a target with invalid settings.
func ExampleStart() {
	_, err := alarm.Start(alarm.Config{Targets: []alarm.Target{
		alarm.Webhook{URL: "https://alarms.example.com/", Template: `{"text": "{{.Text}}"}`},
		alarm.Mail{Host: "mail.example.com", From: "jobs@example.com"},
	}})
	fmt.Println(err)
	// Output:
	// alarms are not valid: targets: webhook: template: its result is not JSON; write {{json .Text}} without quotes around it
	// targets: mail: to: there is no recipient
}

// A Target of the program formats a message in its own way.
func ExampleMessage() {
	three := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	m := alarm.Message{Name: "production", Count: 1, Event: observe.Event{
		Kind:     observe.Abandoned,
		Time:     three.Add(time.Minute),
		Job:      "report",
		Shard:    2,
		Fire:     three,
		Instance: "a@7",
		Subject:  "b@3",
		Attempt:  3,
	}}
	fmt.Println(m.Title())
	fmt.Println(m.Text())
	// Output:
	// production: report/2 abandoned
	// time: 2026-01-02T03:01:00Z
	// instance: a@7
	// job: report
	// shard: 2
	// fire: 2026-01-02T03:00:00Z
	// attempt: 3
	// subject: b@3
}

// Default chooses the events that need a person; Failed only runs that failed.
func ExampleDefault() {
	for _, e := range []observe.Event{
		{
			Kind:   observe.Ended,
			Result: "failed",
		}, {Kind: observe.Ended, Result: "ok"}, {Kind: observe.Missed}, {Kind: observe.Stuck},
	} {
		fmt.Println(e.Kind, e.Result, alarm.Default(e), alarm.Failed(e))
	}
	// Output:
	// ended failed true true
	// ended ok false false
	// missed  true false
	// stuck  true false
}

// A mail server that encrypts from the start. Validate reports invalid settings
// before the first alarm.
func ExampleMail() {
	server := alarm.Mail{
		Host:     "mail.example.com",
		Security: alarm.SecurityTLS,
		Username: "jobs",
		Password: "secret",
		From:     "jobs@example.com",
	}
	fmt.Println(server.Validate())
	server.To = []string{"Operations <ops@example.com>"}
	fmt.Println(server.Name(), server.Validate())

	var plain alarm.Security = alarm.SecurityNoTLS // for a server on the same machine
	fmt.Println(alarm.Mail{
		Host:     "localhost",
		Security: plain,
		Username: "jobs",
		From:     server.From,
		To:       server.To,
	}.Validate())
	// Output:
	// mail: to: there is no recipient
	// mail by mail.example.com <nil>
	// mail: username: without TLS there is no login, because the password could be read on the way
}
