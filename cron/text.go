package cron

import "time"

// String returns the expression as it was written.
func (e *expression) String() string { return e.text }

// String returns the expression that Parse reads as e.
func (e every) String() string { return "@every " + (time.Duration(e) * time.Second).String() }

// String returns the expression that Parse reads as a.
func (a at) String() string { return "@at " + time.Unix(int64(a), 0).UTC().Format(time.RFC3339) }

// String returns the expression that Parse reads as d.
func (d Delay) String() string { return "@after " + time.Duration(d).String() }
