// Package wire has the parts that requests of the HTTP API share. They are
// exported because the router only fills exported structs.
package wire

// Act has the options of an act.
type Act struct {
	Why        string `query:"why" maxLength:"256" doc:"The reason; it is stored with the act."`
	DryRun     bool   `query:"dryRun" doc:"Read and check as ever, and write nothing."`
	Force      bool   `query:"force" doc:"Act although it would be refused."`
	FleetClock bool   `query:"fleetClock" doc:"Use the clock of the fleet where the server's is wrong."`
	IfMatch    string `header:"If-Match" doc:"The revision that the caller has seen, in quotes."`
	Key        string `header:"Idempotency-Key" doc:"A UUID of version 7. A request with the same key is done once."`
	Via        string `header:"Elastic-Via" enum:"api,cli,console,file" default:"api" doc:"How the act came."`
}

// JobPath is a path with a job.
type JobPath struct {
	Job string `path:"job" doc:"The name of the job."`
}

// InstancePath is a path with an instance.
type InstancePath struct {
	ID string `path:"id" doc:"The ID of the instance."`
}

// TargetPath is a path with the target of a cordon.
type TargetPath struct {
	Target string `path:"target" doc:"An instance's name, or host:name for all instances of a host."`
}
