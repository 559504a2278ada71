package alarm

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/elasticjob-go/elastic/internal/secret"
)

// The targets have secrets in exported fields. Package fmt, encoders such as
// that of JSON, and package slog print their names instead of the fields.

// Format prints the target's name, whatever the verb.
func (s Slack) Format(f fmt.State, verb rune) { secret.Format(f, verb, s.Name()) }

// MarshalText returns the target's name.
func (s Slack) MarshalText() ([]byte, error) { return []byte(s.Name()), nil }

// LogValue returns the target's name.
func (s Slack) LogValue() slog.Value { return slog.StringValue(s.Name()) }

// Format prints the target's name, whatever the verb.
func (d DingTalk) Format(f fmt.State, verb rune) { secret.Format(f, verb, d.Name()) }

// MarshalText returns the target's name.
func (d DingTalk) MarshalText() ([]byte, error) { return []byte(d.Name()), nil }

// LogValue returns the target's name.
func (d DingTalk) LogValue() slog.Value { return slog.StringValue(d.Name()) }

// Format prints the target's name, whatever the verb.
func (w WeCom) Format(f fmt.State, verb rune) { secret.Format(f, verb, w.Name()) }

// MarshalText returns the target's name.
func (w WeCom) MarshalText() ([]byte, error) { return []byte(w.Name()), nil }

// LogValue returns the target's name.
func (w WeCom) LogValue() slog.Value { return slog.StringValue(w.Name()) }

// Format prints the target's name, whatever the verb.
func (f Feishu) Format(s fmt.State, verb rune) { secret.Format(s, verb, f.Name()) }

// MarshalText returns the target's name.
func (f Feishu) MarshalText() ([]byte, error) { return []byte(f.Name()), nil }

// LogValue returns the target's name.
func (f Feishu) LogValue() slog.Value { return slog.StringValue(f.Name()) }

// Format prints the target's name, whatever the verb.
func (w Webhook) Format(f fmt.State, verb rune) { secret.Format(f, verb, w.Name()) }

// MarshalText returns the target's name.
func (w Webhook) MarshalText() ([]byte, error) { return []byte(w.Name()), nil }

// LogValue returns the target's name.
func (w Webhook) LogValue() slog.Value { return slog.StringValue(w.Name()) }

// Format prints the target's name, whatever the verb.
func (m Mail) Format(f fmt.State, verb rune) { secret.Format(f, verb, m.Name()) }

// MarshalText returns the target's name.
func (m Mail) MarshalText() ([]byte, error) { return []byte(m.Name()), nil }

// LogValue returns the target's name.
func (m Mail) LogValue() slog.Value { return slog.StringValue(m.Name()) }

// Format prints the names of the targets, whatever the verb.
func (s *Sender) Format(f fmt.State, verb rune) {
	names := make([]string, len(s.outs))
	for i, o := range s.outs {
		names[i] = o.target.Name()
	}
	secret.Format(f, verb, "alarms to "+strings.Join(names, ", "))
}
