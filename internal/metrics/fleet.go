package metrics

// Fleet are the metrics about the whole fleet. An instance does not export
// them, as a fleet that is dead exports nothing: the server that shows the
// fleet does.
var Fleet = []Desc{
	{
		Name: "fleet_jobs", Type: Gauge, Labels: []string{"state"},
		Help: "Jobs by state.",
	},
	{
		Name: "fleet_job_overdue_seconds", Type: Gauge, Unit: "s", Labels: []string{"job_name"},
		Help: "By how much a fire is late that has not begun; only of jobs that have one.",
	},
	{
		Name: "fleet_job_failed_shards", Type: Gauge, Labels: []string{"job_name"},
		Help: "Shards whose last run failed; only of jobs that have some.",
	},
	{
		Name: "fleet_success_deadline_seconds", Type: Gauge, Unit: "s", Labels: []string{"job_name"},
		Help: "Twice the longest gap between the next fires of the job.",
	},
	{
		Name: "fleet_instances", Type: Gauge, Labels: []string{"state"},
		Help: "Live instances by state.",
	},
	{
		Name: "fleet_unowned_jobs", Type: Gauge,
		Help: "Jobs with shards that no instance may own.",
	},
	{
		Name: "fleet_orphaned_runs", Type: Gauge,
		Help: "Runs whose instance is dead and that no other took over.",
	},
	{
		Name: "fleet_records_age_seconds", Type: Gauge, Unit: "s",
		Help: "How old the oldest record is that the server shows.",
	},
}
