package alarm_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic/observe/alarm"
)

// A target is printed as its name, in every format.
func TestTargets_ArePrintedAsTheirNames(t *testing.T) {
	const planted = "S3cr3t"
	targets := []alarm.Target{
		alarm.Slack{URL: "https://hooks.example/services/" + planted},
		alarm.DingTalk{URL: "https://ding.example/send?access_token=" + planted, Secret: planted},
		alarm.WeCom{URL: "https://wecom.example/send?key=" + planted},
		alarm.Feishu{URL: "https://feishu.example/hook/" + planted, Secret: planted},
		alarm.Webhook{
			URL:      "https://user:" + planted + "@alarms.example/" + planted,
			Headers:  map[string]string{"Authorization": planted},
			Template: `{"token": "` + planted + `"}`,
		},
		alarm.Mail{
			Host:     "mail.example",
			Username: "jobs",
			Password: planted,
			From:     "a@b.example",
			To:       []string{"c@b.example"},
		},
		&alarm.Slack{URL: "https://hooks.example/services/" + planted},
		&alarm.Mail{
			Host:     "mail.example",
			Username: "jobs",
			Password: planted,
			From:     "a@b.example",
			To:       []string{"c@b.example"},
		},
	}
	cfg := alarm.Config{Targets: targets}
	sender, err := alarm.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close(t.Context())
	for _, target := range targets {
		if got := fmt.Sprint(target); got != target.Name() || !strings.Contains(got, ".example") {
			t.Errorf("got %s", got)
		}
		if got, err := json.Marshal(target); err != nil || string(got) != quoted(target.Name()) {
			t.Errorf("got %s, %v", got, err)
		}
	}
	for _, v := range []any{targets, cfg, &cfg, sender, *targets[6].(*alarm.Slack), map[string]any{"t": targets}} {
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
		if strings.Contains(b.String(), planted) || strings.Contains(b.String(), fmt.Sprintf("%x", planted)) {
			t.Errorf("a secret is shown:\n%s", &b)
		}
	}
}

// A secret is hidden before an answer is cut. An error about a host does not
// show a password in it.
func TestErrors_HideSecretsBeforeTheyCut(t *testing.T) {
	const planted = "S3cr3tS3cr3tS3cr3t"
	url, _ := robot(t, 200, `{"errcode":1,"errmsg":`+quoted(strings.Repeat("x", 190)+planted)+`}`)
	err := alarm.WeCom{URL: url + "/send?key=" + planted}.Send(t.Context(), message)
	if err == nil || strings.Contains(err.Error(), "S3c") {
		t.Errorf("got %v", err)
	}
	mail := alarm.Mail{
		Host: "smtp://jobs:" + planted + "@mail.example",
		From: "a@b.example",
		To:   []string{"a@b.example"},
	}
	if err := mail.Validate(); err == nil || strings.Contains(err.Error()+mail.Name(), "S3c") {
		t.Errorf("got %v", err)
	}
}
