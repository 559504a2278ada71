package sharding

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Over many jobs the load of an instance is a sum of independent throws: one
// that gets a shard of each with probability p has a variance of p(1-p) a job.
// A fair throw exceeds four standard deviations once in 16,000 times. For 1,000
// jobs of one shard over 7 equal instances they allow max/mean = 1 +
// 4·√(6/1000) = 1.31. Measured over 40 such fleets it is 1.22 at worst, and
// 1.11 on average.
const deviations = 4

// assignAll assigns all jobs and returns the new owners and the load of each
// instance.
func assignAll(jobs []string, shards int, live []Instance, prev [][]string) (owners [][]string, load map[string]int) {
	owners, load = make([][]string, len(jobs)), make(map[string]int)
	for i, job := range jobs {
		var before []string
		if prev != nil {
			before = prev[i]
		}
		owners[i] = Sticky.Assign(job, shards, live, before)
		for id, n := range loads(owners[i]) {
			load[id] += n
		}
	}
	return owners, load
}

// names returns n job names after a pattern with one verb for a number.
func names(pattern string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf(pattern, i)
	}
	return out
}

// without returns the instances but the one of the given ID.
func without(live []Instance, id string) []Instance {
	return slices.DeleteFunc(slices.Clone(live), func(in Instance) bool { return in.ID == id })
}

// checkFew fails the test unless who owns how many has nothing to do with who
// owned them before, and of those that an instance owned and may own, all
// stayed.
func checkFew(t *testing.T, s situation, owners []string) {
	t.Helper()
	quota, held := loads(Sticky.Assign(s.job, s.shards, s.live, nil)), loads(s.prev[:min(len(s.prev), s.shards)])
	if got := loads(owners); !maps.Equal(got, quota) {
		t.Fatalf("%v, without previous owners: %v\n%+v", got, quota, s)
	}
	want := s.shards
	for id, n := range quota {
		want -= min(n, held[id])
	}
	if n := moves(s.prev, owners); n != want {
		t.Fatalf("%d shards moved, %d would do\n%+v\ngot %q", n, want, s, owners)
	}
}

// With fewer shards than instances, the previous owners do not matter.
func TestFew_PreviousOwnersDoNotMatter(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	for range 5000 {
		s := randomSituation(rng, 11, 12)
		if s.few() {
			checkFew(t, s, Sticky.Assign(s.job, s.shards, s.live, s.prev))
		}
	}
}

// One more instance than shards is the least for few shards; up to there and
// beyond, no step moves more.
func TestFew_OnlyLeaverAndNewcomerMove(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	jobs := names("job-%d", 50)
	won, lost := 0, 0
	for _, weights := range [][]int{{1}, {1, 2, 3}} {
		for shards := 1; shards <= 4; shards++ {
			// So many that no instance has a whole shard by weight.
			least := shards
			if len(weights) > 1 {
				least = 3*shards + 1
			}
			live := fleet(least + 2)
			owners, _ := assignAll(jobs, shards, live, nil)
			for change := range 60 {
				if len(live) > least && (rng.IntN(2) == 0 || len(live) > least+6) {
					gone := live[rng.IntN(len(live))].ID
					live = without(live, gone)
					next, _ := assignAll(jobs, shards, live, owners)
					for i := range jobs {
						if n, want := moves(owners[i], next[i]), loads(owners[i])[gone]; n != want {
							t.Fatalf(
								"%s left: %d shards moved, it had %d\nbefore %q\nafter  %q",
								gone, n, want, owners[i], next[i],
							)
						}
						lost += loads(owners[i])[gone]
					}
					owners = next
					continue
				}
				in := Instance{
					ID:     fmt.Sprintf("new-%d@%x", change, rng.Uint64()),
					Weight: weights[rng.IntN(len(weights))],
				}
				live = append(live, in)
				next, _ := assignAll(jobs, shards, live, owners)
				for i := range jobs {
					n, want := moves(owners[i], next[i]), loads(next[i])[in.ID]
					if n != want || want > 1 {
						t.Fatalf(
							"%s came: %d shards moved, it has %d\nbefore %q\nafter  %q",
							in.ID, n, want, owners[i], next[i],
						)
					}
					won += want
				}
				owners = next
			}
		}
	}
	if won == 0 || lost == 0 {
		t.Errorf("%d shards went to newcomers and %d came from leavers: nothing was tested", won, lost)
	}
}

// Many small jobs stay evenly spread after instances came and went.
func TestFew_ManySmallJobsStayEven(t *testing.T) {
	jobs := names("job-%d", 1000)
	fresh := 0
	instance := func() Instance {
		fresh++
		return Instance{ID: fmt.Sprintf("worker-%d@%04x", fresh%7, fresh*7919)}
	}
	for _, tt := range []struct {
		name   string
		change func(step func([]Instance), live []Instance) []Instance
	}{
		{"random joins and leaves", func(step func([]Instance), live []Instance) []Instance {
			rng := rand.New(rand.NewPCG(10, 10))
			for range 12 {
				if i := rng.IntN(len(live)); len(live) > 9 || len(live) > 4 && rng.IntN(2) == 0 {
					live = without(live, live[i].ID)
				} else {
					live = append(live, instance())
				}
				step(live)
			}
			for ; len(live) > 7; step(live) {
				live = live[1:]
			}
			for ; len(live) < 7; step(live) {
				live = append(live, instance())
			}
			return live
		}},
		{"a rolling restart", func(step func([]Instance), live []Instance) []Instance {
			for range 7 {
				live = live[1:]
				step(live)
				live = append(live, instance())
				step(live)
			}
			return live
		}},
		{"a rolling restart, the new ones first", func(step func([]Instance), live []Instance) []Instance {
			for range 7 {
				live = append(live, instance())
				step(live)
				live = live[1:]
				step(live)
			}
			return live
		}},
		{"growth from one instance", func(step func([]Instance), live []Instance) []Instance {
			live = live[:1]
			for ; len(live) < 7; live = append(live, instance()) {
				step(live)
			}
			step(live)
			return live
		}},
	} {
		for shards := 1; shards <= 3; shards++ {
			var live []Instance
			for range 7 {
				live = append(live, instance())
			}
			owners, load := assignAll(jobs, shards, live, nil)
			live = tt.change(func(live []Instance) { owners, load = assignAll(jobs, shards, live, owners) }, live)
			p := float64(shards) / 7
			mean, margin := p*1000, deviations*math.Sqrt(p*(1-p)*1000)
			for _, in := range live {
				if got := float64(load[in.ID]); math.Abs(got-mean) > margin {
					t.Errorf("%s, %d shards: %s owns %.0f, want %.0f±%.0f", tt.name, shards, in.ID, got, mean, margin)
				}
			}
		}
	}
}

// throws returns the probability of each weight to be among the first n of
// weighted throws without replacement.
func throws(weights []float64, n int) []float64 {
	p := make([]float64, len(weights))
	if n == 0 {
		return p
	}
	total := 0.0
	for _, w := range weights {
		total += w
	}
	for first, w := range weights {
		if w == 0 {
			continue
		}
		rest := slices.Clone(weights)
		rest[first] = 0
		p[first] += w / total
		for i, q := range throws(rest, n-1) {
			p[i] += w / total * q
		}
	}
	return p
}

// Each owns its exact share rounded down, and rounds up as weighted throws have
// it.
func TestFew_ManyJobsSpreadByWeight(t *testing.T) {
	for _, pattern := range []string{"job-%d", "%08d", "tenant/%d/import", "%c"} {
		jobs := names(pattern, 1000)
		for _, weights := range [][]int{
			{1, 1, 1, 1, 1, 1, 1}, {1, 1}, {1, 2}, {4, 2, 2, 1, 1}, {1, 1, 1, 20}, {1, 1000},
		} {
			live := fleet(len(weights))
			for i := range live {
				live[i].Weight = weights[i]
			}
			total := int(totalWeight(live))
			for _, shards := range []int{1, 2, 3, 8} {
				extra, cut := shards, make([]float64, len(live))
				for i, w := range weights {
					extra -= shards * w / total
					cut[i] = float64(shards * w % total)
				}
				up := throws(cut, extra)
				_, load := assignAll(jobs, shards, live, nil)
				for i, in := range live {
					mean := (float64(shards*in.Weight/total) + up[i]) * float64(len(jobs))
					margin := deviations * math.Sqrt(max(up[i]*(1-up[i]), 0)*float64(len(jobs)))
					if got := float64(load[in.ID]); math.Abs(got-mean) > margin+1e-6 {
						t.Errorf("%s, %d shards, weights %v: weight %d owns %.0f, want %.0f±%.0f",
							pattern, shards, weights, in.Weight, got, mean, margin)
					}
				}
			}
		}
	}
}

// The numbers are those that Sticky's documentation names.
func TestFew_HeavyInstancesGetLess(t *testing.T) {
	if got := throws([]float64{4, 2, 2, 1, 1}, 1)[0]; got != 0.4 {
		t.Errorf("of one shard the first gets %.3f, want its share, 0.4", got)
	}
	if got := throws([]float64{4, 2, 2, 1, 1}, 2)[0]; math.Abs(got-0.69) > 0.005 {
		t.Errorf("of two shards the first gets %.3f, want 0.69", got)
	}
}

// The sum of χ² over 300 fleets of 7, each with 6 degrees of freedom, is that
// of a fair die: not greater, which would be a bad hash, nor smaller, for then
// jobs would not be drawn independently of each other.
func TestRank_FairAsDie(t *testing.T) {
	const fleets, instances = 300, 7
	jobs := names("job-%d", 350)
	mean := float64(len(jobs)) / instances
	sum := 0.0
	for f := range fleets {
		live := make([]Instance, instances)
		for i := range live {
			live[i].ID = fmt.Sprintf("fleet-%d-worker-%d", f, i)
		}
		_, load := assignAll(jobs, 1, live, nil)
		for _, in := range live {
			sum += math.Pow(float64(load[in.ID])-mean, 2) / mean
		}
	}
	freedom := float64(fleets * (instances - 1))
	if margin := deviations * math.Sqrt(2*freedom); math.Abs(sum-freedom) > margin {
		t.Errorf("χ² = %.0f, want %.0f±%.0f", sum, freedom, margin)
	}
}

// The jobs of a leaving instance spread evenly over the others.
func TestFew_JobsOfLeaverSpreadEvenly(t *testing.T) {
	jobs := names("job-%d", 1000)
	live := fleet(7)
	owners, before := assignAll(jobs, 1, live, nil)
	for len(live) > 2 {
		gone := live[len(live)/2].ID
		live = without(live, gone)
		var after map[string]int
		owners, after = assignAll(jobs, 1, live, owners)
		p, lost := 1/float64(len(live)), float64(before[gone])
		mean, margin := p*lost, deviations*math.Sqrt(lost*p*(1-p))
		for _, in := range live {
			if got := float64(after[in.ID] - before[in.ID]); math.Abs(got-mean) > margin {
				t.Errorf("%s gained %.0f of the %.0f jobs of %s, want %.0f±%.0f", in.ID, got, lost, gone, mean, margin)
			}
		}
		before = after
	}
}

// That is a seventh of the jobs, and so of those of each of the others.
func TestFew_NewcomerTakesFromEach(t *testing.T) {
	jobs := names("job-%d", 1000)
	owners, before := assignAll(jobs, 1, fleet(6), nil)
	live := fleet(7)
	_, after := assignAll(jobs, 1, live, owners)
	for _, in := range live[:6] {
		had := float64(before[in.ID])
		mean, margin := had/7, deviations*math.Sqrt(had/7*6/7)
		if got := float64(before[in.ID] - after[in.ID]); math.Abs(got-mean) > margin {
			t.Errorf("%s gave %.0f of its %.0f jobs, want %.0f±%.0f", in.ID, got, had, mean, margin)
		}
	}
}

// Of 4 shards the exact shares are 0.25, 0.75 and 3: one of the two holders
// keeps its shard.
func TestFew_HeavierKeepsMoreOften(t *testing.T) {
	jobs := names("job-%d", 1000)
	live := []Instance{{"light", 1}, {"heavy", 3}, {"new", 12}}
	prev := make([][]string, len(jobs))
	for i := range prev {
		prev[i] = []string{"light", "heavy", "gone", "gone"}
	}
	_, load := assignAll(jobs, 4, live, prev)
	mean, margin := 0.25*1000, deviations*math.Sqrt(0.25*0.75*1000)
	if got := float64(load["light"]); math.Abs(got-mean) > margin {
		t.Errorf("the light instance kept %.0f shards, want %.0f±%.0f", got, mean, margin)
	}
}
