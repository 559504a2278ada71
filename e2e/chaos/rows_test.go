package chaos

// The faults of docs/design/chaos.md, by their numbers there. Names with the
// same ending are variants of one fault.
var rows = []row{
	{name: "E01-kill-while-running", run: killWhileRunning, not: needsProcesses},
	{name: "E02-kill-while-idle", run: killWhileIdle},
	{name: "E03-kill-the-taker", run: killTheTaker, not: needsProcesses},
	{name: "E04-kill-and-restart-within-the-ttl", run: killAndRestartAtOnce, not: needsProcesses},
	{name: "E05-kill-all", run: killAll},
	{name: "E06-leave", run: leave, not: needsProcesses},
	{name: "E07-leave-with-a-deaf-handler", run: leaveDeaf},
	{name: "E08-freeze", run: freeze},
	{name: "E08-freeze-at-the-answer", run: freezeAtTheAnswer, not: needsProcesses},
	{name: "E09-freeze-the-leader", run: freezeTheLeader, not: needsProcesses},
	{name: "E10-store-crash", run: storeCrash, not: needsServer},
	{name: "E11-store-leader-crash", run: storeLeaderCrash, not: needsServer},
	{name: "E12-quorum-loss", run: quorumLoss, not: needsServer},
	{name: "E13-minority-isolated", run: minorityFrozen, not: needsServer},
	{name: "E14-partition", run: partition, not: needsServer},
	{name: "E15-one-way-partition", run: oneWay, not: needsServer},
	{name: "E16-latency", run: latency, not: needsServer},
	{name: "E17-packet-loss", run: loss, not: needsServer},
	{name: "E18-flapping", run: flapping, not: needsServer},
	{name: "E19-slow-store", run: slowStore, not: needsServer},
	{name: "E20-store-full", run: storeFull, not: map[string]string{
		"zookeeper": "a full disk needs a file system of its own, which a test that is not root can't mount",
		"consul":    "a full disk needs a file system of its own, which a test that is not root can't mount",
		"file":      "a full disk is a test of the driver: it needs a file system of its own",
	}},
	{name: "E21-worker-without-a-disk", run: noDisk, not: map[string]string{"file": "its store is on that disk"}},
	{
		name: "E22-wrong-clock",
		run:  wrongClock,
		not:  map[string]string{"file": "all instances are one process, and have one clock"},
	},
	{
		name: "E23-store-clock-jumps",
		why: "the servers have the machine's clock. etcd and Consul are static binaries, " +
			"which faketime does not reach; to set the machine's clock would disturb everything else on it",
	},
	{name: "E24-memory-pressure", run: memoryPressure},
	{name: "E25-cpu-starvation", run: starvation, not: needsProcesses},
	{name: "E26-restart-storm", run: restartStorm, not: needsProcesses},
	{name: "E27-data-attacks", run: dataAttacks, not: map[string]string{"file": "no second process gets at its data"}},
	{
		name: "E28-store-restored",
		run:  storeRestored,
		not:  map[string]string{"file": "no second process gets at its data"},
	},
}

var (
	needsProcesses = map[string]string{"file": "all instances are one process: see E05"}
	needsServer    = map[string]string{"file": "there is no server, and nothing between it and the instances"}
)
