package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/cron"
	"github.com/spf13/cobra"
)

// explanation is a schedule as JSON.
type explanation struct {
	Schedule string      `json:"schedule"`
	TimeZone string      `json:"timeZone"`
	Words    string      `json:"words"`
	Next     []time.Time `json:"next"`
}

const mostFires = 1000

func (a *app) newExplain() *cobra.Command {
	var zone, from string
	var n int
	cmd := &cobra.Command{
		Use:     "explain EXPRESSION",
		Short:   "Say what a schedule means, and when it fires next",
		Long:    "Say what a schedule means, and when it fires next. No store is asked.",
		Example: "  elasticctl explain '0 30 3 ? * MON-FRI' --zone Europe/Berlin -n 10",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if n < 1 || n > mostFires {
				return usage("-n %d: want 1 to %d fires", n, mostFires)
			}
			now := a.now()
			if from != "" {
				t, err := time.Parse(time.RFC3339, from)
				if err != nil {
					return usage("--from %.40q: want a time such as 2026-11-29T03:00:00Z", from)
				}
				now = t
			}
			loc, err := cron.LoadLocation(zone)
			if err != nil {
				return &exitError{exitRefused, fmt.Errorf("--zone: %w", err)}
			}
			s, err := cron.Parse(args[0], loc)
			if err != nil {
				return &exitError{exitRefused, err}
			}
			e, never := cron.Explain(s, now, n)
			if never != nil && !errors.Is(never, cron.ErrNever) {
				return never
			}
			format, err := a.format()
			if err != nil {
				return err
			}
			whole := explanation{Schedule: args[0], TimeZone: loc.String(), Words: e.Words, Next: e.Next}
			answer := &answer{whole: whole, text: explained(e, now)}
			for _, t := range e.Next {
				answer.names = append(answer.names, t.Format(time.RFC3339))
			}
			if never != nil {
				answer.err = &exitError{exitFindings, never}
			}
			return answer.write(cmd.OutOrStdout(), cmd.ErrOrStderr(), format)
		},
	}
	f := cmd.Flags()
	f.StringVar(&zone, "zone", "UTC", "the time zone, such as Europe/Berlin")
	f.StringVar(&from, "from", "", "the time after which fires are listed, as RFC 3339; otherwise now")
	f.IntVarP(&n, "number", "n", 5, "how many fires to list")
	f.StringVarP(&a.output, "output", "o", "", "table, json, yaml or name; table if not given")
	return cmd
}

// explained returns an explanation as text. A fire whose offset from UTC
// differs from that of the one before is marked.
func explained(e cron.Explanation, now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", e.Words)
	_, offset := now.Zone()
	if len(e.Next) > 0 {
		_, offset = now.In(e.Next[0].Location()).Zone()
	}
	for _, t := range e.Next {
		mark := ""
		if _, o := t.Zone(); o != offset {
			mark = "  the clock has changed"
			offset = o
		}
		fmt.Fprintf(&b, "  %s%s\n", t.Format("Mon 2006-01-02 15:04:05 -0700"), mark)
	}
	return b.String()
}
