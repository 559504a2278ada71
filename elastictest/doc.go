// Package elastictest runs a fleet of instances inside a test, in virtual time.
// The instances share jobs through a store in memory, and a test can make every
// kind of failure happen to them. A minute of the fleet's time takes a few
// milliseconds.
//
// A test starts instances, lets time pass to the next fire of a job, causes a
// failure, and looks at the result:
//
//	func TestReport_SurvivesCrash(t *testing.T) {
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
//				t.Errorf("shard 1 was not repeated: %s", last)
//			}
//		})
//	}
//
// A test of the effects of a handler is as short. Pause an instance for longer
// than its session lives, and check that later writes of its handler, with an
// outdated fence, are refused:
//
//	c.NextFire("report")
//	c.Pause("b")              // as a long garbage collection, or SIGSTOP
//	c.Advance(time.Minute)    // its session is over, and another instance repeats its run
//	c.Resume("b")             // it continues where it stopped
//	c.UntilQuiet()
//
// # Time
//
// [New] must be called in a bubble of [testing/synctest], and the whole test
// must happen in that bubble. Its time begins at midnight UTC on 1 January
// 2000, and moves when all goroutines wait. So a handler may sleep for an hour,
// but must not wait for anything outside the bubble: a socket, a file lock, a
// channel from before the bubble.
//
// A test takes the same course each time, as far as the fleet is concerned. The
// IDs of instances are counted and not random: the first of "a" is a@1, and
// after a crash or a lost session it is a@2. So the same instance gets the same
// shards. Events at the very same instant happen in any order.
//
// # Limits of a crash
//
// A test cannot end a goroutine from outside. When an instance crashes, nothing
// that it does reaches the store, the contexts of its handlers end, and its
// runs count as crashed. But a handler that ignores its context continues,
// which it could not if its process were gone. In the same way, a paused
// instance learns nothing, begins nothing and writes nothing, but a handler
// that sleeps by itself continues to sleep. Handlers in tests should call
// [Work], which handles both.
package elastictest
