package main

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
)

func TestAParameterSaysWhatARunDoes(t *testing.T) {
	ten := time.Date(2026, 1, 2, 3, 0, 10, 0, time.UTC)
	for _, tt := range []struct {
		parameter string
		retry     int
		fire      time.Time
		want      error
		atLeast   time.Duration
	}{
		{"", 0, ten, nil, time.Millisecond},
		{"take 3ms", 0, ten, nil, 3 * time.Millisecond},
		{"take 3ms each 10s", 0, ten, nil, 3 * time.Millisecond},
		{"take 1h each 10s", 0, ten.Add(time.Second), nil, 0},
		{"fail 2", 1, ten, errAsked, 0},
		{"fail 2", 2, ten, nil, 0},
		{"again 1, take 2ms", 0, ten, errAsked, 2 * time.Millisecond},
		{"give up", 0, ten, errAsked, 0},
	} {
		t.Run(fmt.Sprint(tt.parameter, " at call ", tt.retry+1), func(t *testing.T) {
			begun := time.Now()
			err := actor(time.Millisecond)(t.Context(), elastic.Run{JobParameter: tt.parameter, Retry: tt.retry, Fire: tt.fire})
			if !errors.Is(err, tt.want) || time.Since(begun) < tt.atLeast {
				t.Errorf("got %v after %s, want %v after at least %s", err, time.Since(begun), tt.want, tt.atLeast)
			}
		})
	}
	for _, parameter := range []string{"dance", "take long", "fail", "fail often"} {
		if _, err := readAct(parameter, 0); err == nil {
			t.Errorf("%q is read as if it said something", parameter)
		}
	}
}
