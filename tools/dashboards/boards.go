package main

// The variable job is the name of the scrape, as Prometheus has it: choose one
// where several fleets are scraped by one server.
var scrape = ask("job", "Scrape", "label_values(elasticjob_up, job)", true)

// fleetBoard shows all jobs and instances.
func fleetBoard() board {
	return newBoard("elasticjob-fleet", "ElasticJob / Fleet", []variable{scrape}, []graph{
		{
			title: "Alerts that fire",
			kind:  "table",
			lines: []line{{`ALERTS{alertstate="firing", runbook_url=~".*"}`, ""}},
		},
		{
			title: "Runs by result",
			unit:  "ops",
			lines: []line{{
				`sum by (result) (rate(elasticjob_runs_total{job=~"$job"}[$__rate_interval]))`, "{{result}}",
			}},
		},
		{
			title: "How late runs begin",
			about: "First attempts, against the time at which they were due.",
			unit:  "s",
			lines: []line{
				{lateness("0.5"), "half of them"},
				{lateness("0.99"), "one of a hundred"},
			},
		},
		{
			title: "Fires that were missed",
			lines: []line{{
				`sum by (job_name, reason) (increase(elasticjob_fires_missed_total{job=~"$job"}[$__rate_interval]))`,
				"{{job_name}} {{reason}}",
			}},
		},
		{
			title: "Take-overs and hand-overs",
			lines: []line{
				{`sum(increase(elasticjob_takeovers_total{job=~"$job"}[$__rate_interval]))`, "taken over"},
				{`sum(increase(elasticjob_handovers_total{job=~"$job"}[$__rate_interval]))`, "handed over"},
				{`sum(increase(elasticjob_reclaims_total{job=~"$job"}[$__rate_interval]))`, "reclaimed"},
			},
		},
		{
			title: "Instances",
			lines: []line{
				{`max by (state) (elasticjob_instances{job=~"$job"})`, "{{state}}"},
				{`sum(elasticjob_up{job=~"$job"})`, "in session"},
			},
		},
		{
			title: "Store: how long requests take",
			unit:  "s",
			lines: []line{{
				`histogram_quantile(0.99, sum by (op, le) (` +
					`rate(elasticjob_store_request_duration_seconds_bucket{job=~"$job"}[$__rate_interval])))`, "{{op}}",
			}},
		},
		{
			title: "Store: requests by outcome",
			unit:  "ops",
			lines: []line{{
				`sum by (op, outcome) (rate(elasticjob_store_requests_total{job=~"$job"}[$__rate_interval]))`,
				"{{op}} {{outcome}}",
			}},
		},
		{
			title: "History: behind by",
			unit:  "s",
			lines: []line{{`max by (instance) (elasticjob_history_lag_seconds{job=~"$job"})`, "{{instance}}"}},
		},
		{
			title: "Sessions lost, instances evicted",
			lines: []line{
				{`sum(increase(elasticjob_sessions_lost_total{job=~"$job"}[$__rate_interval]))`, "sessions lost"},
				{`sum(increase(elasticjob_evictions_total{job=~"$job"}[$__rate_interval]))`, "evictions"},
			},
		},
	})
}

func lateness(quantile string) string {
	return `histogram_quantile(` + quantile +
		`, sum by (le) (rate(elasticjob_run_lateness_seconds_bucket{job=~"$job"}[$__rate_interval])))`
}

// jobBoard shows one job.
func jobBoard() board {
	const of = `{job=~"$job", job_name="$job_name"}`
	name := ask("job_name", "Job", `label_values(elasticjob_shards_owned{job=~"$job"}, job_name)`, false)
	return newBoard("elasticjob-job", "ElasticJob / Job", []variable{scrape, name}, []graph{
		{
			title: "Runs by result",
			lines: []line{{
				`sum by (result) (increase(elasticjob_runs_total` + of + `[$__rate_interval]))`, "{{result}}",
			}},
		},
		{
			title: "Runs in progress",
			lines: []line{
				{`sum by (instance) (elasticjob_running` + of + `)`, "{{instance}}"},
			},
		},
		{
			title: "How long runs take",
			kind:  "heatmap",
			unit:  "s",
			lines: []line{{
				`sum by (le) (increase(elasticjob_run_duration_seconds_bucket` + of + `[$__rate_interval]))`, "{{le}}",
			}},
		},
		{
			title: "How late runs begin",
			kind:  "heatmap",
			unit:  "s",
			lines: []line{{
				`sum by (le) (increase(elasticjob_run_lateness_seconds_bucket` + of + `[$__rate_interval]))`, "{{le}}",
			}},
		},
		{
			title: "Last success and last end",
			unit:  "s",
			lines: []line{
				{`time() - max(elasticjob_last_success_timestamp_seconds` + of + `)`, "since the last success"},
				{`time() - max(elasticjob_last_end_timestamp_seconds` + of + `)`, "since the last end"},
			},
		},
		{
			title: "Retries, panics, cancels",
			lines: []line{
				{`sum(increase(elasticjob_retries_total` + of + `[$__rate_interval]))`, "retries"},
				{`sum(increase(elasticjob_panics_total` + of + `[$__rate_interval]))`, "panics"},
				{`sum(increase(elasticjob_cancels_total` + of + `[$__rate_interval]))`, "cancels"},
			},
		},
		{
			title: "Fires that were missed",
			lines: []line{{
				`sum by (reason) (increase(elasticjob_fires_missed_total` + of + `[$__rate_interval]))`, "{{reason}}",
			}},
		},
		{
			title: "Shards",
			lines: []line{{`sum by (instance) (elasticjob_shards_owned` + of + `)`, "{{instance}}"}},
		},
	})
}

// instanceBoard shows one instance.
func instanceBoard() board {
	const of = `{job=~"$job", instance="$instance"}`
	name := ask("instance", "Instance", `label_values(elasticjob_up{job=~"$job"}, instance)`, false)
	return newBoard("elasticjob-instance", "ElasticJob / Instance", []variable{scrape, name}, []graph{
		{
			title: "Shards and runs",
			lines: []line{
				{`sum(elasticjob_shards_owned` + of + `)`, "shards owned"},
				{`sum(elasticjob_running` + of + `)`, "runs"},
				{`elasticjob_running_limit` + of, "limit (0: none)"},
				{`elasticjob_held` + of, "waiting for a place"},
				{`elasticjob_stuck_handlers` + of, "stuck handlers"},
			},
		},
		{
			title: "Session",
			unit:  "s",
			lines: []line{{`elasticjob_session_deadline_seconds` + of, "surely alive for"}},
		},
		{
			title: "Clock",
			about: "Against the median of the others.",
			unit:  "s",
			lines: []line{{`elasticjob_clock_offset_seconds` + of, "ahead by"}},
		},
		{
			title: "Age of what the watches have shown",
			unit:  "s",
			lines: []line{{`elasticjob_watch_age_seconds` + of, "{{prefix}}"}},
		},
		{
			title: "Requests to the store",
			unit:  "ops",
			lines: []line{{
				`sum by (op, outcome) (rate(elasticjob_store_requests_total` + of + `[$__rate_interval]))`,
				"{{op}} {{outcome}}",
			}},
		},
		{
			title: "The scheduler's loop",
			about: "How long what was given to the loop waited.",
			unit:  "s",
			lines: []line{{
				`histogram_quantile(0.99, sum by (le) (` +
					`rate(elasticjob_loop_delay_seconds_bucket` + of + `[$__rate_interval])))`, "one in 100",
			}},
		},
		{
			title: "What watching lost",
			lines: []line{
				{`increase(elasticjob_events_dropped_total` + of + `[$__rate_interval])`, "events"},
				{`increase(elasticjob_store_requests_untold_total` + of + `[$__rate_interval])`, "store requests"},
				{`elasticjob_metrics_jobs_folded` + of, "jobs without a label of their own"},
				{`sum(increase(elasticjob_history_dropped_total` + of + `[$__rate_interval]))`, "rows of the history"},
			},
		},
		{
			title: "Goroutines",
			lines: []line{{`go_goroutines` + of, "goroutines"}},
		},
		{
			title: "Memory",
			unit:  "bytes",
			lines: []line{{`process_resident_memory_bytes` + of, "resident"}},
		},
		{
			title: "Keys that can't be read",
			lines: []line{{`elasticjob_unreadable_keys` + of, "{{prefix}}"}},
		},
	})
}
