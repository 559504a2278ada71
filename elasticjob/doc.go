// Package elasticjob reads the namespace of Apache ShardingSphere ElasticJob
// in ZooKeeper, finds the residue that keeps its shards from running, and
// removes it. No instance of elastic is needed for that, and nothing in the
// Java programs is changed.
//
// [Open] connects, [Client.Collect] reads a job as a [Snapshot], [Examine] is
// a pure function from snapshots to findings, and [Doctor] puts them together
// and repairs. [Import] turns the jobs of a namespace into a job file.
//
// Namespaces of ElasticJob 3.x (YAML) and 2.1.x (JSON) are read. Nothing that
// is stored there is instantiated: documents are read as trees of nodes. A
// node that can't be read is named, and the rest is read.
package elasticjob
