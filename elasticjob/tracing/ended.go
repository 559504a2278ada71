package tracing

import (
	"context"
	"strings"
	"time"
)

// Ended reports whether the run of a shard that an instance began at a moment
// has ended, and when. It judges by the newest row of that instance and shard:
// if it has no end, or there is none since that moment, the answer is false.
// zone is that of Options.
//
// Rows are written by the clocks of the JVMs and with some delay. The caller
// must not take an end of the last minute for a fact.
func (s *Source) Ended(
	ctx context.Context, zone *time.Location, job string, shard int, instance string, since time.Time,
) (at time.Time, ended bool, err error) {
	c, err := s.clock(ctx, executionTable, "start_time", zone)
	if err != nil {
		return time.Time{}, false, err
	}
	ctx, cancel := context.WithTimeout(ctx, queryLimit)
	defer cancel()
	ip, _, _ := strings.Cut(instance, "@-@")
	rows, err := s.db.QueryContext(ctx, s.bind("SELECT task_id, complete_time FROM "+executionTable+
		" WHERE job_name = ? AND sharding_item = ? AND ip = ? AND start_time >= ?"+
		" ORDER BY start_time DESC, id DESC LIMIT 100"), job, shard, ip, c.value(since.Truncate(c.step)))
	if err != nil {
		return time.Time{}, false, s.fault("read table "+executionTable, err)
	}
	defer rows.Close()
	for rows.Next() {
		var task string
		var end any
		if err := rows.Scan(&task, &end); err != nil {
			return time.Time{}, false, s.fault("read table "+executionTable, err)
		}
		if instanceOf(task, "") != instance {
			continue
		}
		t, ok := end.(time.Time)
		return c.moment(t), ok, nil
	}
	if err := rows.Err(); err != nil {
		return time.Time{}, false, s.fault("read table "+executionTable, err)
	}
	return time.Time{}, false, nil
}
