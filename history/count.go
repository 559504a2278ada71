package history

import (
	"fmt"
	"strings"

	"github.com/elasticjob-go/elastic/failover"
)

// class is a kind of row that is counted by itself: a result of runs, or
// another type of row.
type class uint8

// The classes. Those of runs come first.
const (
	classOK class = iota
	classFailed
	classSkipped
	classLost
	classCancelled
	classReplaced
	classHandedOver
	classOther // a result that this version does not know
	classMissed
	classEvent
	classGap
	classAudit
	classLog
	classes
)

var classNames = [classes]string{
	string(failover.ResultSucceeded),
	string(failover.ResultFailed),
	string(failover.ResultSkipped),
	string(failover.ResultLost),
	string(failover.ResultCancelled),
	string(failover.ResultReplaced),
	string(ResultHandedOver),
	"other",
	"missed",
	"event",
	"gap",
	"audit",
	"log",
}

func (r *Run) class() class {
	for c := classOK; c < classOther; c++ {
		if string(r.Result) == classNames[c] {
			return c
		}
	}
	return classOther
}

func (*Missed) class() class { return classMissed }
func (*Event) class() class  { return classEvent }
func (*Gap) class() class    { return classGap }
func (*Audit) class() class  { return classAudit }
func (*Log) class() class    { return classLog }

// isSuccess reports whether the rows of a class are dropped first.
func (c class) isSuccess() bool { return c == classOK || c == classSkipped }

// counts is a number of rows by class.
type counts [classes]uint64

func (c *counts) add(other counts) {
	for i, n := range other {
		c[i] += n
	}
}

// total returns the number of all rows.
func (c counts) total() uint64 {
	var n uint64
	for _, of := range c {
		n += of
	}
	return n
}

// byName returns the counts that are not zero.
func (c counts) byName() map[string]uint64 {
	m := map[string]uint64{}
	for i, n := range c {
		if n > 0 {
			m[classNames[i]] = n
		}
	}
	return m
}

// String returns the counts that are not zero, such as "12 ok, 3 failed".
func (c counts) String() string {
	var parts []string
	for i, n := range c {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, classNames[i]))
		}
	}
	return strings.Join(parts, ", ")
}
