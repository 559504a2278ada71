package alarm_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic/internal/vtime"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/observe/alarm"
)

// target is a Target that records messages and their times.
type target struct {
	send func(ctx context.Context, m alarm.Message) error // before a message is kept

	mu    sync.Mutex
	start time.Time
	got   []string
}

func newTarget() *target { return &target{start: time.Now()} }

func (t *target) Name() string { return "target" }

func (t *target) Send(ctx context.Context, m alarm.Message) error {
	if t.send != nil {
		if err := t.send(ctx, m); err != nil {
			return err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	text := fmt.Sprintf("%s %s", time.Since(t.start), m.Title())
	if m.Omitted > 0 {
		text += fmt.Sprintf(" (%d omitted)", m.Omitted)
	}
	t.got = append(t.got, text)
	return nil
}

// take returns the messages since the last call.
func (t *target) take() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	got := strings.Join(t.got, "; ")
	t.got = nil
	return got
}

func (t *target) want(tb testing.TB, want string) {
	tb.Helper()
	synctest.Wait()
	if got := t.take(); got != want {
		tb.Errorf("got  %s\nwant %s", got, want)
	}
}

func start(t *testing.T, c alarm.Config) *alarm.Sender {
	t.Helper()
	s, err := alarm.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closed(t *testing.T, s *alarm.Sender) {
	t.Helper()
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func failed(job string, shard int) observe.Event {
	return observe.Event{
		Time:     time.Now(),
		Kind:     observe.Ended,
		Result:   "failed",
		Job:      job,
		Shard:    shard,
		Instance: "a@1",
		Err:      errors.New("no paper"),
	}
}

// Alarms of one matter within a second are one message. Those within Quiet are
// counted in the next.
func TestSender_GathersAlarms(t *testing.T) {
	vtime.Test(t, func(t *testing.T) {
		out := newTarget()
		s := start(t, alarm.Config{Targets: []alarm.Target{out}, Name: "prod"})
		for shard := range 100 {
			s.Observe(failed("report", shard))
		}
		s.Observe(failed("backup", 7))
		time.Sleep(time.Second)
		out.want(t, "1s prod: backup/7 failed; 1s prod: report failed, 100 times")

		for range 50 {
			s.Observe(failed("report", 1))
			time.Sleep(10 * time.Second)
		}
		out.want(t, "")
		time.Sleep(2 * time.Minute)
		out.want(t, "10m1s prod: report failed, 50 times")

		time.Sleep(time.Hour)
		out.want(t, "")
		s.Observe(failed("report", 1))
		time.Sleep(time.Second)
		out.want(t, "1h10m22s prod: report/1 failed")
		closed(t, s)
	})
}

// Another job, kind or result is another message.
func TestSender_KeepsMattersApart(t *testing.T) {
	vtime.Test(t, func(t *testing.T) {
		out := newTarget()
		s := start(t, alarm.Config{Targets: []alarm.Target{out}})
		s.Observe(failed("report", 1))
		s.Observe(observe.Event{Kind: observe.Abandoned, Job: "report", Shard: 1})
		s.Observe(observe.Event{Kind: observe.SessionLost, Instance: "a@1", Shard: -1})
		s.Observe(observe.Event{Kind: observe.Missed, Job: "report", Shard: -1})
		s.Observe(observe.Event{Kind: observe.Ended, Result: "ok", Job: "report"})
		s.Observe(observe.Event{Kind: observe.Began, Job: "report"})
		time.Sleep(time.Minute)
		out.want(t, "1s a@1 lost; 1s report/1 abandoned; 1s report/1 failed; 1s report missed")
		closed(t, s)
	})
}

// No minute has more than PerMinute messages.
func TestSender_KeepsPerMinute(t *testing.T) {
	vtime.Test(t, func(t *testing.T) {
		out := newTarget()
		s := start(t, alarm.Config{Targets: []alarm.Target{out}, PerMinute: 3, Quiet: 5 * time.Minute})
		for i := range 5 {
			s.Observe(failed(fmt.Sprint("job-", i), 0))
		}
		time.Sleep(30 * time.Second)
		out.want(t, "1s job-0/0 failed; 1s job-1/0 failed; 1s job-2/0 failed")
		s.Observe(failed("job-3", 1))
		time.Sleep(time.Minute)
		out.want(t, "1m1s job-3 failed, 2 times; 1m1s job-4/0 failed")
		closed(t, s)
	})
}

// A target that does not answer delays neither Observe nor another target.
func TestSender_TargetsAreIndependent(t *testing.T) {
	vtime.Test(t, func(t *testing.T) {
		dead, out := newTarget(), newTarget()
		var alive atomic.Bool
		dead.send = func(ctx context.Context, _ alarm.Message) error {
			if alive.Load() {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		}
		var mu sync.Mutex
		told := 0
		s := start(t, alarm.Config{Targets: []alarm.Target{dead, out},
			PerMinute: 10_000,
			Queue:     20,
			OnError: func(err error) {
				mu.Lock()
				defer mu.Unlock()
				told++
				if !strings.Contains(err.Error(), `was not sent to target: `) {
					t.Error(err)
				}
			}})
		for wave := range 2 {
			begun := time.Now()
			for i := range 20 {
				s.Observe(failed(fmt.Sprintf("job-%d-%02d", wave, i), 0))
			}
			if took := time.Since(begun); took != 0 {
				t.Errorf("to observe took %s", took)
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if got := out.take(); strings.Count(got, fmt.Sprintf("%ds job-%d", wave+1, wave)) != 20 {
				t.Errorf("the other target got, within a second: %s", got)
			}
		}
		mu.Lock()
		if told != 19 { // of 40, one is under way and 20 wait
			t.Errorf("%d messages were reported as left out, want 19", told)
		}
		mu.Unlock()

		// The target works again, and gets the number of alarms that were not
		// sent.
		alive.Store(true)
		time.Sleep(time.Minute)
		got := dead.take()
		if !strings.Contains(got, "(19 omitted)") {
			t.Errorf("got %s, want it to say how many alarms were left out", got)
		}
		closed(t, s)
	})
}

// A message is tried three times, with pauses of one and five seconds.
func TestSender_TriesThreeTimes(t *testing.T) {
	vtime.Test(t, func(t *testing.T) {
		out := newTarget()
		fail := 2
		out.send = func(context.Context, alarm.Message) error {
			if fail--; fail >= 0 {
				return errors.New("out of order")
			}
			return nil
		}
		var errs []string
		s := start(t, alarm.Config{
			Targets: []alarm.Target{out},
			OnError: func(err error) { errs = append(errs, err.Error()) },
		})
		s.Observe(failed("report", 1))
		time.Sleep(time.Minute)
		out.want(t, "7s report/1 failed")
		if len(errs) != 0 {
			t.Errorf("got %q, want nothing: it was sent in the end", errs)
		}
		fail = 3
		s.Observe(failed("backup", 1))
		time.Sleep(time.Minute)
		s.Observe(failed("other", 1))
		time.Sleep(time.Minute)
		out.want(t, "2m1s other/1 failed (1 omitted)")
		if want := []string{`alarm "backup/1 failed" was not sent to target: out of order`}; fmt.Sprint(errs) != fmt.Sprint(want) {
			t.Errorf("got %q, want %q", errs, want)
		}
		closed(t, s)
	})
}

// A target or OnError that panics ends nothing.
func TestSender_SurvivesPanics(t *testing.T) {
	vtime.Test(t, func(t *testing.T) {
		out := newTarget()
		out.send = func(context.Context, alarm.Message) error { panic("oh") }
		var errs []string
		s := start(t, alarm.Config{Targets: []alarm.Target{out}, OnError: func(err error) {
			errs = append(errs, err.Error())
			panic("and again")
		}})
		s.Observe(failed("report", 1))
		time.Sleep(time.Minute)
		if synctest.Wait(); len(errs) != 1 || !strings.HasSuffix(errs[0], "it panicked: oh") {
			t.Errorf("got %q", errs)
		}
		closed(t, s)
	})
}

// Close sends the messages that wait, without regard to Quiet.
func TestClose_SendsWhatWaits(t *testing.T) {
	vtime.Test(t, func(t *testing.T) {
		out := newTarget()
		s := start(t, alarm.Config{Targets: []alarm.Target{out}, PerMinute: 3})
		s.Observe(failed("early", 1))
		time.Sleep(10 * time.Second)
		for i := range 5 {
			s.Observe(failed(fmt.Sprint("job-", i), 0))
		}
		s.Observe(failed("job-4", 1))
		closed(t, s)
		out.want(t, "1s early/1 failed; 10s job-0/0 failed; 10s job-1/0 failed (4 omitted)")
		s.Observe(failed("late", 0))
		closed(t, s)
		time.Sleep(time.Hour)
		out.want(t, "")
	})
}

// Close returns when its context ends, and reports the unsent messages.
func TestClose_GivesUpInTime(t *testing.T) {
	vtime.Test(t, func(t *testing.T) {
		dead, out := newTarget(), newTarget()
		dead.send = func(ctx context.Context, _ alarm.Message) error {
			<-ctx.Done()
			return ctx.Err()
		}
		s := start(t, alarm.Config{Targets: []alarm.Target{dead, out}})
		s.Observe(failed("report", 1))
		s.Observe(failed("backup", 1))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		err := s.Close(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "2 messages were not sent in time") {
			t.Errorf("got %v", err)
		}
		if took := time.Since(out.start); took != 3*time.Second {
			t.Errorf("took %s", took)
		}
		out.want(t, "0s backup/1 failed; 0s report/1 failed")
	})
}

// Many different alarms take a bounded amount of memory, and are counted.
func TestSender_BoundsItsMemory(t *testing.T) {
	vtime.Test(t, func(t *testing.T) {
		out := newTarget()
		s := start(t, alarm.Config{Targets: []alarm.Target{out}, PerMinute: 1000, Queue: 1000})
		for i := range 1000 {
			s.Observe(failed(fmt.Sprintf("job-%04d", i), 0))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		got := out.take()
		if n := strings.Count(got, "failed"); n != 256 || !strings.HasPrefix(got, "1s job-0000/0 failed (744 omitted); ") {
			t.Errorf("got %d messages, the first is %.60s", n, got)
		}
		closed(t, s)
	})
}

// An event is an alarm if a rule says so.
func TestRules_ChooseAlarms(t *testing.T) {
	bad := observe.Event{Kind: observe.Ended, Result: "failed", Job: "report"}
	for _, tt := range []struct {
		name string
		rule alarm.Rule
		e    observe.Event
		want bool
	}{
		{"a failure", alarm.Failed, bad, true},
		{"a success", alarm.Failed, observe.Event{Kind: observe.Ended, Result: "ok"}, false},
		{"a begin", alarm.Failed, observe.Event{Kind: observe.Began}, false},
		{
			"one of the kinds",
			alarm.Kinds(observe.Stuck, observe.SessionLost),
			observe.Event{Kind: observe.SessionLost},
			true,
		},
		{"none of the kinds", alarm.Kinds(observe.Stuck), bad, false},
		{"one of the jobs", alarm.Rule(alarm.Failed).Jobs("backup", "report"), bad, true},
		{"none of the jobs", alarm.Rule(alarm.Failed).Jobs("backup"), bad, false},
		{"a success of one of the jobs", alarm.Rule(alarm.Failed).Jobs("report"), observe.Event{
			Kind:   observe.Ended,
			Result: "ok",
			Job:    "report",
		}, false},
		{"default: a failure", alarm.Default, bad, true},
		{"default: missed", alarm.Default, observe.Event{Kind: observe.Missed}, true},
		{"default: a success", alarm.Default, observe.Event{Kind: observe.Ended, Result: "ok"}, false},
	} {
		if got := tt.rule(tt.e); got != tt.want {
			t.Errorf("%s: got %v", tt.name, got)
		}
	}
	for _, kind := range []observe.Kind{
		observe.Joined,
		observe.Left,
		observe.SessionLost,
		observe.Appeared,
		observe.Vanished,
		observe.Assigned,
		observe.Gained,
		observe.Dropped,
		observe.Began,
		observe.TookOver,
		observe.Ended,
		observe.HandedOver,
		observe.Abandoned,
		observe.Missed,
		observe.Stuck,
		observe.Panicked,
		observe.Unreadable,
		observe.FutureFire, observe.Scheduled, observe.Refused, observe.Differs, observe.Trouble, observe.Recovered,
	} {
		if got, want := alarm.Default(observe.Event{Kind: kind}), kind.Alarm() || kind == observe.Missed; got != want {
			t.Errorf("default, %s: got %v", kind, got)
		}
	}
}

// One error has all faults of the settings, those of the targets included.
func TestStart_ReportsAllFaults(t *testing.T) {
	_, err := alarm.Start(alarm.Config{})
	if err == nil || !strings.Contains(err.Error(), "targets: must have at least one") {
		t.Errorf("got %v", err)
	}
	_, err = alarm.Start(alarm.Config{
		Targets: []alarm.Target{
			nil,
			alarm.Slack{},
			alarm.DingTalk{URL: "oapi.dingtalk.com/robot?access_token=sEcReT"},
			alarm.WeCom{URL: "http://"},
			alarm.Feishu{URL: "https://a/%zzsEcReT"},
			alarm.Webhook{
				URL:         "https://a/",
				Method:      "GET",
				Headers:     map[string]string{"a b": "sEcReT"},
				ContentType: ";",
			},
			alarm.Webhook{URL: "https://a/", Template: `{"text": {{.Txt}}}`},
			alarm.Webhook{URL: "https://a/", Template: `{"text": "{{.Text}}"}`},
			alarm.Webhook{URL: "https://a/", Template: `{{`},
			alarm.Mail{
				Host:     "mail.example.com:25",
				Port:     70_000,
				Security: 7,
				From:     "no address",
				To:       []string{"a@b", "c d"},
			},
			alarm.Mail{
				Host:     "mail",
				Security: alarm.SecurityNoTLS,
				Username: "me",
				Password: "sEcReT",
				From:     "a@b",
			},
		},
		Rules: []alarm.Rule{nil}, Quiet: -1, PerMinute: -1, Queue: -1, Timeout: -1,
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"targets: number 0 is nil", "Slack: URL: is empty", "DingTalk: URL: must begin with https:// or http://",
		"WeCom: URL: must begin", "Feishu: URL: can't be read",
		`webhook: method: must be POST or PUT, is "GET"`, `headers: "a b" has characters`,
		"content type", "can't evaluate field Txt", "is not JSON; write {{json .Text}}", "unclosed action",
		`mail: host: must be a name or an address without a port, is "mail.example.com:25"`,
		"port: must be 1 to 65535, is 70000", "security: must be StartTLS, TLS or NoTLS, is 7",
		`from: "no address": `, `to: "c d": `, "username: without TLS there is no login", "to: there is no recipient",
		"rules: number 0 is nil", "quiet: must not be negative, is -1ns", "per minute: must not be negative, is -1",
		"queue: must", "timeout: must",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("there is no %q in\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "sEcReT") {
		t.Errorf("there is a secret in\n%v", err)
	}
}
