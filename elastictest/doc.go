// Package elastictest runs a cluster inside a test, in virtual time: instances of a program that share jobs through a store in
// memory, and everything that can happen to them. A minute of the cluster's life takes a few milliseconds.
//
// A test starts instances, lets time pass to a job's next fire, does something bad, and looks at what became of it:
//
//	func TestAReportIsMadeThoughItsMachineDies(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			c := elastictest.New(t, elastic.WithSessionTTL(10*time.Second))
//			c.Add(elastic.Job{Name: "report", Schedule: "0 0 3 * * ?", Shards: 2, Failover: true}, newReporter())
//			c.Start("a", "b")
//
//			c.NextFire("report")
//			c.Crash(c.Owners("report")[1])
//			c.UntilQuiet()
//
//			last := c.RunsOf("report", 1)[1]
//			if last.Err != nil || last.Attempt != 2 {
//				t.Errorf("shard 1 was not made up for: %s", last)
//			}
//		})
//	}
//
// A test of one's own effects is as short: pause an instance for longer than its session lives, and see whether what
// its handler does afterwards, with a fence that is out of date, is refused:
//
//	c.NextFire("report")
//	c.Pause("b")              // as a long garbage collection, or SIGSTOP
//	c.Advance(time.Minute)    // its session is over, and another instance repeats its run
//	c.Resume("b")             // it goes on where it stood
//	c.UntilQuiet()
//
// # Time
//
// [New] must be called in a bubble of [testing/synctest], and everything of the test happens in that bubble. Its time begins at
// midnight UTC on the 1st of January 2000 and moves when all goroutines wait for something: so a handler may sleep for an hour, and
// must not wait for anything outside: a socket, a file lock, a channel from before the bubble.
//
// The same test has the same course each time as far as the cluster goes: the IDs of instances are counted and not drawn
// (the first of "a" is a@1, after a crash or a lost session it is a@2), and so the same instance gets the same shards.
// What happens at the very same instant happens in any order.
//
// # What a crash can't do
//
// No test can end a goroutine from outside. When an instance crashes nothing that it does reaches the store any more, its handlers'
// contexts end, and its runs count as crashed; but a handler that does not look at its context goes on, as it would not if its
// process were gone. Likewise a paused instance learns nothing, begins nothing and writes nothing, while a handler that sleeps by
// itself sleeps on. Let handlers in tests do their work with [Work], which gets both right.
package elastictest
